//! The package of the chart, whose default image is that of the release.

use std::path::Path;
use std::process::Command;

use testbed::Tool;

use super::{VERSION, files, repository};
use crate::image::Image;

/// Writes it. The chart in the repository names no registry, as nobody knows where a build from there is pushed to.
pub(super) fn package(image: &str, out: &Path) -> Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    files::run(Command::new("cp").arg("-r").arg(repository("charts/confidence-operator")).arg(dir.path()))?;
    let chart = dir.path().join("confidence-operator");
    let values = chart.join("values.yaml");
    files::write(&values, &with_image(&files::read(&values)?, image)?)?;
    let metadata = chart.join("Chart.yaml");
    let line = format!("image: confidence-operator:{VERSION}\n");
    files::write(&metadata, &files::read(&metadata)?.replace(&line, &format!("image: {image}\n")))?;
    let mut helm = Command::new(Tool::Helm.find()?);
    files::run(helm.arg("package").arg(chart).arg("--destination").arg(out)).map(drop)
}

fn with_image(values: &str, image: &str) -> Result<String, String> {
    let mut image = Image::of(image);
    if image.tag == VERSION {
        // That is the default, which a person who sets another appVersion expects.
        image.tag = "";
    }
    let mut text = values.to_owned();
    for ((name, value), default) in image.values().into_iter().zip(["\"\"", "confidence-operator", "\"\"", "\"\""]) {
        let line = format!("\n  {name}: {default}\n");
        if text.matches(&line).count() != 1 {
            return Err(format!("values.yaml: the line {:?} is not there exactly once", line.trim()));
        }
        text = text.replace(&line, &format!("\n  {name}: \"{value}\"\n"));
    }
    Ok(text)
}
