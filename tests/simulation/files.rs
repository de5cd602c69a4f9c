//! The files from which the replicas take the account's id and secret.

use confidence_operator::confidence::settings::Credentials;
use tempfile::TempDir;

/// The files, and the secret that Confidence accepts.
pub struct Files {
    folder: TempDir,
    accepted: String,
    rotations: usize,
}

impl Files {
    pub fn new() -> Self {
        let files = Self { folder: TempDir::new().unwrap(), accepted: "test-client-secret".to_owned(), rotations: 0 };
        std::fs::write(files.folder.path().join("id"), "test-client").unwrap();
        files.deliver();
        files
    }

    pub fn credentials(&self) -> Credentials {
        let path = |name| self.folder.path().join(name);
        Credentials::ClientFiles { id: path("id"), secret: path("secret") }
    }

    /// Another secret is accepted from now on.
    pub fn rotate(&mut self) -> String {
        self.rotations += 1;
        self.accepted = format!("test-client-secret-{}", self.rotations);
        self.accepted.clone()
    }

    /// The files hold what is accepted.
    pub fn deliver(&self) {
        std::fs::write(self.folder.path().join("secret"), &self.accepted).unwrap();
    }
}
