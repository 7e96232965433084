//! Activities over RAM, under a clock that the tests turn, and a source that answers what it is told to.
