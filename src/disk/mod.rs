//! stub
#![allow(missing_docs)]
use crate::graph::Rows;
use crate::warning::Warnings;
use std::path::Path;
use std::sync::atomic::AtomicU64;
#[derive(Debug, Clone, Default)]
pub struct Usage {
    pub nar_size: u64,
    pub apparent_size: u64,
    pub disk_size: u64,
    pub files: u64,
    pub directories: u64,
    pub symlinks: u64,
    pub unsupported: u64,
    pub present: bool,
    pub incomplete: bool,
    pub private_disk_size: u64,
    pub private_apparent_size: u64,
}
#[derive(Debug, Clone, Default)]
pub struct Inode {
    pub size: u64,
    pub nlink: u32,
    pub linked: bool,
}
impl Inode {
    pub fn disk_size(&self) -> u64 {
        0
    }
    pub fn names_outside_links(&self) -> u32 {
        0
    }
}
#[derive(Debug, Clone, Copy, Default)]
pub struct Links {
    pub entries: u64,
    pub directory_disk_size: u64,
    pub unused_entries: u64,
    pub unused_disk_size: u64,
}
#[derive(Debug, Default)]
pub struct DiskScan {
    pub usages: Vec<Usage>,
    pub others: Vec<(Vec<u8>, Usage)>,
    pub inodes: Vec<Inode>,
    pub names: Rows,
    pub links: Option<Links>,
    pub store_directory_disk_size: u64,
    pub entries: u64,
    pub warnings: Warnings,
}
#[derive(Debug, Default)]
pub struct Progress {
    pub paths: AtomicU64,
    pub paths_total: AtomicU64,
    pub entries: AtomicU64,
}
#[derive(Debug, Default, Clone)]
pub struct ScanOptions {
    pub whole: bool,
    pub threads: Option<usize>,
}
#[derive(Debug, thiserror::Error)]
#[error("x")]
pub struct DiskError;
pub fn scan(_: &Path, _: &[&str], _: &ScanOptions, _: &Progress) -> Result<DiskScan, DiskError> {
    Err(DiskError)
}
