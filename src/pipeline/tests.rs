//! Unit tests of the list and its graph.

mod order;
