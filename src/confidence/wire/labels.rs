//! Writing labels, in either shape.

use std::collections::BTreeMap;
use std::slice;

use serde::{Serialize, Serializer};

use super::LabelsShape;

pub(super) struct Labels<'a> {
    pub(super) map: &'a BTreeMap<String, String>,
    pub(super) shape: LabelsShape,
}

impl Serialize for Labels<'_> {
    /// The array form is one map with all the labels, and `[]` when there are none.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.shape {
            LabelsShape::Object => self.map.serialize(serializer),
            LabelsShape::Array if self.map.is_empty() => serializer.collect_seq::<[(); 0]>([]),
            LabelsShape::Array => slice::from_ref(self.map).serialize(serializer),
        }
    }
}
