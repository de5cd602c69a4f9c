//! The name of an image, in the parts that the chart has values for.

/// The parts of an image; those that are absent are empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Image<'a> {
    pub(crate) registry: &'a str,
    pub(crate) repository: &'a str,
    pub(crate) tag: &'a str,
    pub(crate) digest: &'a str,
}

impl<'a> Image<'a> {
    /// Takes a name apart, as a container runtime does: what comes before the first slash is a registry if it looks like a host.
    pub(crate) fn of(image: &'a str) -> Self {
        let (name, digest) = image.split_once('@').unwrap_or((image, ""));
        let tag_at = name.rfind(':').filter(|at| !name[*at..].contains('/'));
        let (name, tag) = tag_at.map_or((name, ""), |at| (&name[..at], &name[at + 1..]));
        let first = name.split_once('/').filter(|(first, _)| first.contains(['.', ':']) || *first == "localhost");
        let (registry, repository) = first.unwrap_or(("", name));
        Self { registry, repository, tag, digest }
    }

    /// The values of the chart, as names below `image` and what they are.
    pub(crate) fn values(self) -> [(&'static str, &'a str); 4] {
        let Self { registry, repository, tag, digest } = self;
        [("registry", registry), ("repository", repository), ("tag", tag), ("digest", digest)]
    }
}

#[cfg(test)]
mod tests {
    use super::Image;

    /// The chart takes the parts of an image, and a person has its whole name.
    #[test]
    fn image_is_taken_apart() {
        for (image, parts) in [
            ("operator:1", ["", "operator", "1", ""]),
            ("team/operator", ["", "team/operator", "", ""]),
            ("localhost:5000/a:1", ["localhost:5000", "a", "1", ""]),
            ("localhost:5000/a", ["localhost:5000", "a", "", ""]),
            ("example.com/team/a@sha256:01", ["example.com", "team/a", "", "sha256:01"]),
        ] {
            assert_eq!(Image::of(image).values().map(|(_, part)| part), parts, "{image}");
        }
    }
}
