//! The shape in which the server takes labels: configured, shown by it, or found out by trying.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::confidence::error::{Cause, Error};
use crate::confidence::wire::{ClientCredential, LabelsShape};

const UNKNOWN: u8 = 0;
const OBJECT: u8 = 1;
const ARRAY: u8 = 2;

/// The shape to write labels in, for the whole account.
#[derive(Debug)]
pub(super) struct Labels {
    is_fixed: bool,
    shape: AtomicU8,
}

impl Labels {
    /// The shape that a person fixed (`--labels-encoding`), or none to find out.
    pub(super) fn new(fixed: Option<LabelsShape>) -> Self {
        Self { is_fixed: fixed.is_some(), shape: AtomicU8::new(fixed.map_or(UNKNOWN, encoded)) }
    }

    /// The shape to write.
    pub(super) fn shape(&self) -> LabelsShape {
        if self.shape.load(Ordering::Relaxed) == ARRAY { LabelsShape::Array } else { LabelsShape::Object }
    }

    /// The shape that the server showed last is the one to write.
    pub(super) fn learn(&self, credential: &ClientCredential) {
        if let Some(shape) = credential.labels_shape {
            self.works(shape);
        }
    }

    /// The server accepted this shape.
    pub(super) fn works(&self, shape: LabelsShape) {
        if !self.is_fixed {
            self.shape.store(encoded(shape), Ordering::Relaxed);
        }
    }

    /// The shape to try a refused write in once more, if any. A server that was generated from the published description
    /// refuses the object with 400 or 422, in words of its own.
    pub(super) fn other(&self, tried: LabelsShape, has_labels: bool, error: &Error) -> Option<LabelsShape> {
        let may_be_it = !self.is_fixed && tried == LabelsShape::Object && has_labels;
        (may_be_it && error.cause() == Cause::InvalidRequest).then_some(LabelsShape::Array)
    }
}

/// The error of a write that was refused in one shape and then failed in the other. A second refusal is most likely the
/// first one again, in misleading words; anything else counts for itself.
pub(super) fn of_both_shapes(first: Error, second: Error) -> Error {
    if second.cause() == Cause::InvalidRequest { first } else { second }
}

fn encoded(shape: LabelsShape) -> u8 {
    match shape {
        LabelsShape::Object => OBJECT,
        LabelsShape::Array => ARRAY,
    }
}
