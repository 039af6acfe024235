//! What the database says: path infos as columns indexed by a `u32` id.
