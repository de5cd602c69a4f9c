//! How credentials look in JSON: which shapes are answered, which are accepted.

mod mask;
mod read;
mod render;

use crate::config::{Config, Contract, LabelsShape};

pub(crate) use mask::read_mask;
pub(crate) use read::{read_body, unknown};
pub(crate) use render::{Shown, render, render_client};

/// The shape of labels in answers. The `OpenAPI` knows arrays only.
fn answered_labels(config: &Config) -> LabelsShape {
    match config.contract {
        Contract::Full => config.labels,
        Contract::Openapi => LabelsShape::Array,
    }
}

/// The only shape of labels that is accepted; nothing: both.
fn accepted_labels(config: &Config) -> Option<LabelsShape> {
    let lenient = config.contract == Contract::Full && config.lenient_labels;
    (!lenient).then(|| answered_labels(config))
}
