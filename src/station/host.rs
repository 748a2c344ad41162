//! Finds the station of a data folder, or starts one.
