//! What the disk says: the parallel walk, the usage of each path, and the
//! inodes with several names.
