//! What holds for the schema of every kind.
