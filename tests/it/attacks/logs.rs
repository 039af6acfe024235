//! What lies beside a database: write-ahead logs, their indexes, rollback journals.

use super::*;
use rusqlite::config::DbConfig;

/// Leaves a log and its index behind, whose last transaction is in the log alone.
fn leave_log(case: &Case) {
    let db = case.db();
    db.pragma_update(None, "journal_mode", "wal").unwrap();
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    fs::write(case.made.store.join(base(5, "late")), "contents").unwrap();
    insert(&db, 5, path(5, "late").as_bytes(), Some(120));
    refer(&db, 5, 1);
}

/// Changes a file beside the database.
fn change(case: &Case, suffix: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let file = case.beside(suffix);
    let mut bytes = fs::read(&file).unwrap_or_default();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

/// A journal that a crash left, of a transaction that took every page.
fn leave_journal(case: &Case) {
    let db = case.db();
    db.pragma_update(None, "synchronous", "FULL").unwrap();
    db.pragma_update(None, "cache_size", 2).unwrap();
    db.execute_batch("BEGIN; UPDATE ValidPaths SET sigs = hex(zeroblob(9000)), narSize = 1")
        .unwrap();
    let copies = ["", "-journal"].map(|suffix| fs::read(case.beside(suffix)).unwrap());
    drop(db);
    fs::write(case.beside(""), &copies[0]).unwrap();
    fs::write(case.beside("-journal"), &copies[1]).unwrap();
}

/// Every run that answers knows the path that only the log holds.
#[track_caller]
fn knows_the_log(all: &[Ran]) {
    said(all, "-late");
}

attacks! {
    fn a_log_and_its_index(case) {
        leave_log(&case);
        knows_the_log(&case.attack());
    }
    fn a_log_without_an_index(case) {
        leave_log(&case);
        fs::remove_file(case.beside("-shm")).unwrap();
        knows_the_log(&case.attack());
    }
    fn an_index_without_a_log(case) {
        leave_log(&case);
        fs::remove_file(case.beside("-wal")).unwrap();
        case.attack();
    }
    fn an_index_of_noise(case) {
        leave_log(&case);
        change(&case, "-shm", |bytes| {
            (bytes.iter_mut()).enumerate().for_each(|(i, b)| *b = (i * 37 + i / 256) as u8);
        });
        case.attack();
    }
    fn an_index_of_zeros(case) {
        leave_log(&case);
        change(&case, "-shm", |bytes| bytes.fill(0));
        knows_the_log(&case.attack());
    }
    fn an_index_of_a_gigabyte(case) {
        leave_log(&case);
        fs::File::options().write(true).open(case.beside("-shm")).unwrap().set_len(1 << 30).unwrap();
        case.attack();
    }
    fn an_empty_index(case) {
        leave_log(&case);
        change(&case, "-shm", Vec::clear);
        case.attack();
    }
    fn a_log_of_noise(case) {
        change(&case, "-wal", |bytes| bytes.extend((0..50_000).map(|i| (i * 31 + i / 251) as u8)));
        case.attack();
    }
    fn a_log_of_zeros(case) {
        change(&case, "-wal", |bytes| bytes.resize(50_000, 0));
        case.attack();
    }
    fn a_log_of_a_gigabyte_of_nothing(case) {
        leave_log(&case);
        fs::remove_file(case.beside("-shm")).unwrap();
        fs::File::options().write(true).open(case.beside("-wal")).unwrap().set_len(1 << 30).unwrap();
        case.only(&[&["report", "--all"], &["audit"]]);
        knows_the_log(&case.attack());
    }
    fn a_log_cut_in_a_frame(case) {
        leave_log(&case);
        fs::remove_file(case.beside("-shm")).unwrap();
        change(&case, "-wal", |bytes| bytes.truncate(bytes.len() - 100));
        case.attack();
    }
    fn a_log_that_is_a_header(case) {
        leave_log(&case);
        change(&case, "-wal", |bytes| bytes.truncate(32));
        case.attack();
    }
    fn a_log_of_another_page_size(case) {
        leave_log(&case);
        fs::remove_file(case.beside("-shm")).unwrap();
        change(&case, "-wal", |bytes| bytes[8..12].copy_from_slice(&512u32.to_be_bytes()));
        case.attack();
    }
    fn a_log_of_another_owner(case) {
        leave_log(&case);
        for suffix in ["-wal", "-shm"] {
            if std::os::unix::fs::chown(case.beside(suffix), Some(1), Some(1)).is_err() {
                return skip("this needs root");
            }
        }
        knows_the_log(&case.attack());
    }
    fn a_log_of_another_owner_and_a_header_of_noise(case) {
        leave_log(&case);
        change(&case, "-wal", |bytes| bytes[..16].fill(0x37));
        let _ = std::os::unix::fs::chown(case.beside("-wal"), Some(1), Some(1));
        case.attack();
    }
    fn a_log_that_is_a_directory(case) {
        fs::create_dir(case.beside("-wal")).unwrap();
        all_ended(&case.attack(), 3);
    }
    fn a_log_that_is_a_symlink(case) {
        symlink(case.env.join("outside").join(CANARY), case.beside("-wal")).unwrap();
        all_ended(&case.attack(), 3);
    }
    fn an_index_that_is_a_symlink(case) {
        leave_log(&case);
        fs::remove_file(case.beside("-shm")).unwrap();
        symlink(case.env.join("outside").join(CANARY), case.beside("-shm")).unwrap();
        case.attack();
    }
    fn a_journal_to_roll_back(case) {
        leave_journal(&case);
        let all = case.attack();
        said(&all, "rollback journal");
        // What it undoes is not counted.
        let json = |ran: &&Ran| ["--all", "json"].map(word).iter().all(|w| ran.command.contains(w));
        let report = all.iter().find(json).unwrap();
        let answer: Value = serde_json::from_str(&report.run.stdout).unwrap();
        assert!(answer["total"]["nar_size"].as_u64() > Some(500), "{answer}");
    }
    fn a_journal_cut_in_a_record(case) {
        leave_journal(&case);
        change(&case, "-journal", |bytes| bytes.truncate(bytes.len() / 2));
        case.attack();
    }
    fn a_journal_of_noise(case) {
        change(&case, "-journal", |bytes| bytes.extend((0..50_000).map(|i| (i * 7 + 1) as u8)));
        case.attack();
    }
    fn a_journal_of_endless_records(case) {
        leave_journal(&case);
        change(&case, "-journal", |bytes| bytes[8..12].fill(0xff));
        case.attack();
    }
    fn a_journal_of_a_database_of_terabytes(case) {
        leave_journal(&case);
        change(&case, "-journal", |bytes| bytes[16..20].fill(0xfe));
        all_ended(&case.attack(), 3);
    }
    fn a_journal_with_sectors_of_one_byte(case) {
        leave_journal(&case);
        change(&case, "-journal", |bytes| bytes[20..24].copy_from_slice(&[0, 0, 0, 1]));
        case.attack();
    }
    fn a_journal_that_names_another(case) {
        leave_journal(&case);
        let magic = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
        let other = case.env.join("outside").join(CANARY);
        change(&case, "-journal", |bytes| {
            bytes.extend(other.as_os_str().as_encoded_bytes());
            bytes.extend((other.as_os_str().len() as u32).to_be_bytes());
            bytes.extend([0; 4]);
            bytes.extend(magic);
        });
        all_ended(&case.attack(), 3);
    }
    fn a_journal_of_a_gigabyte_of_nothing(case) {
        leave_journal(&case);
        fs::File::options().write(true).open(case.beside("-journal")).unwrap().set_len(1 << 30).unwrap();
        case.only(&[&["report", "--all"]]);
        case.more_memory = 3 << 30;
        case.attack();
    }
    fn a_journal_and_a_log(case) {
        leave_log(&case);
        change(&case, "-journal", |bytes| bytes.extend(b"noise"));
        case.attack();
    }
    fn a_journal_that_is_a_fifo(case) {
        run(Command::new("mkfifo").arg(case.beside("-journal"))).ok();
        all_ended(&case.attack(), 3);
    }
}
