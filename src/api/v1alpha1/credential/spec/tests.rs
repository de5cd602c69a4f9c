//! Specs as this program reads them.
