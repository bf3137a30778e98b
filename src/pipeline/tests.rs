//! Unit tests of the list and its graph, and of what the engine does with it.

mod order;
