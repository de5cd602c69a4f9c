//! The binary.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::cargo_bin;

/// A process that does not outlive its test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin!("confidence-simulator"));
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn state_file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// It tells its address, and flags are added to what the file says.
#[tokio::test]
async fn program_serves_its_file_until_sigterm() {
    let file = state_file(
        "config: {names: clientCredentials, accounts: {shop: {tokens: {shop-token: {}}}}}\n\
         clients:\n- {client: d, value: {displayName: D}, account: shop}\n\
         credentials:\n- {client: c, credential: k, value: {displayName: From the file, environments: [production]}}\n",
    );
    let path = file.path().to_str().unwrap();
    let arguments = ["--listen", "127.0.0.1:0", "--state", path, "--labels", "array", "--token", "another"];
    let mut process = Program(program(&arguments).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(process.0.stderr.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("confidence-simulator: serving ").expect(&line).to_owned();

    let _ = rustls::crypto::ring::default_provider().install_default();
    let get = reqwest::Client::new().get(format!("{url}/v1/clients/c/credentials/k")).bearer_auth("another");
    let clients = reqwest::Client::new().get(format!("{url}/v1/clients")).bearer_auth("shop-token");
    let clients = clients.send().await.unwrap().text().await.unwrap();
    assert!(clients.contains(r#""name":"clients/d""#) && !clients.contains("clients/c"), "{clients}");
    let answer = get.send().await.unwrap().bytes().await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["displayName"], "From the file");
    assert_eq!((&answer["name"], &answer["labels"]), (&"clients/c/clientCredentials/k".into(), &serde_json::json!([])));

    let killed = Command::new("kill").args(["-TERM", &process.0.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(process.0.wait().unwrap().code(), Some(0));
}

/// With one line that names the argument.
#[test]
fn unusable_arguments_exit_with_code_2() {
    let broken = state_file("credentials: [{client: c}]\n");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for arguments in
        [["--state", "/nowhere/state.yaml"], ["--state", broken.path().to_str().unwrap()], ["--listen", &taken]]
    {
        let output = program(&arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.starts_with(&format!("confidence-simulator: {} {}", arguments[0], arguments[1])), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert_eq!(program(&["--contract", "swagger"]).output().unwrap().status.code(), Some(2));
    assert_eq!(program(&["--client", "no-secret"]).output().unwrap().status.code(), Some(2));
}
