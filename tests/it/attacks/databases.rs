//! Databases: damaged, of other shapes, and made to run or to take all there is.

use super::*;
use crate::support::store_in_code::LOOSE;

const PAGE: usize = 4096;

/// Where a table or index begins in the file.
fn root_page(case: &Case, name: &str) -> usize {
    let sql = "SELECT rootpage FROM sqlite_master WHERE name = ?1";
    case.db().query_row(sql, [name], |row| row.get::<_, i64>(0)).unwrap() as usize
}

/// An inner page of a table whose children are all the same page.
fn inner(child: usize, count: u16) -> Vec<u8> {
    let mut page = vec![0; PAGE];
    let child = (child as u32).to_be_bytes();
    page[0] = 5;
    page[3..5].copy_from_slice(&count.to_be_bytes());
    page[8..12].copy_from_slice(&child);
    let mut at = PAGE;
    for i in 0..usize::from(count) {
        at -= 6;
        page[at..at + 4].copy_from_slice(&child);
        page[at + 4..at + 6].copy_from_slice(&[0x81, 0x7f]);
        page[12 + 2 * i..14 + 2 * i].copy_from_slice(&(at as u16).to_be_bytes());
    }
    page[5..7].copy_from_slice(&(at as u16).to_be_bytes());
    page
}

/// Makes a table's pages a graph: each of `depth` pages has 300 times the next,
/// and the last what the root held before.
fn share_pages(bytes: &mut Vec<u8>, root: usize, depth: usize) {
    let first = bytes.len() / PAGE + 1;
    let was = bytes[(root - 1) * PAGE..root * PAGE].to_vec();
    for i in 0..depth {
        bytes.extend(inner(first + i + 1, 300));
    }
    bytes.extend(was);
    bytes[(root - 1) * PAGE..root * PAGE].copy_from_slice(&inner(first, 300));
    let pages = (bytes.len() / PAGE) as u32;
    bytes[28..32].copy_from_slice(&pages.to_be_bytes());
}

/// The pages of one table are a graph.
fn graph_of(case: &mut Case, table: &str) -> Vec<Ran> {
    let root = root_page(case, table);
    case.bytes(|bytes| share_pages(bytes, root, 8));
    case.attack()
}

/// Puts another table in the place of `ValidPaths`, its rows copied.
fn replace_paths(case: &Case, columns: &str, copied: &str) {
    case.sql(&format!(
        "ALTER TABLE ValidPaths RENAME TO Old; CREATE TABLE ValidPaths ({columns});
         INSERT INTO ValidPaths ({copied}) SELECT {copied} FROM Old; DROP TABLE Old;"
    ));
}

/// Numbers that look random and are the same each time.
pub(super) fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |end| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % end
    }
}

const ALL: &str = "id, path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca";
const QUICK: [&[&str]; 3] = [&["report", "--all"], &["garbage", "--no-runtime"], &["audit"]];

attacks! {
    fn bits_flipped_at_random(case) {
        case.only(&QUICK);
        let whole = fs::read(&case.made.database).unwrap();
        for seed in 0..if sweep() { 500 } else { 12 } {
            let mut next = numbers(seed);
            let mut bytes = whole.clone();
            for _ in 0..1 + next(6) {
                let page = next(bytes.len() / PAGE);
                let at = if next(2) == 0 { next(120) } else { PAGE - 1 - next(400) };
                bytes[page * PAGE + at] ^= 1 << next(8);
            }
            fs::write(&case.made.database, bytes).unwrap();
            case.attack();
        }
    }
    fn pages_swapped(case) {
        case.bytes(|bytes| {
            let (a, b) = bytes[PAGE..].split_at_mut(PAGE);
            a.swap_with_slice(&mut b[..PAGE]);
        });
        case.attack();
    }
    fn a_page_of_zeros(case) {
        let root = root_page(&case, "Refs");
        case.bytes(|bytes| bytes[(root - 1) * PAGE..root * PAGE].fill(0));
        all_ended(&case.attack(), 3);
    }
    fn a_page_of_ones(case) {
        let root = root_page(&case, "ValidPaths");
        case.bytes(|bytes| bytes[(root - 1) * PAGE..root * PAGE].fill(0xff));
        all_ended(&case.attack(), 3);
    }
    fn cut_in_the_header(case) {
        case.bytes(|bytes| bytes.truncate(60));
        all_ended(&case.attack(), 3);
    }
    fn cut_in_a_page(case) {
        case.bytes(|bytes| bytes.truncate(3 * PAGE + 1000));
        all_ended(&case.attack(), 3);
    }
    fn cut_between_pages(case) {
        case.bytes(|bytes| bytes.truncate(3 * PAGE));
        all_ended(&case.attack(), 3);
    }
    fn more_pages_promised_than_there_are(case) {
        case.bytes(|bytes| bytes[28..32].fill(0x7f));
        all_ended(&case.attack(), 3);
    }
    fn more_bytes_than_pages(case) {
        case.bytes(|bytes| bytes.extend([7; 5 * PAGE]));
        case.attack();
    }
    fn a_gigabyte_of_nothing_after_it(case) {
        fs::File::options().write(true).open(&case.made.database).unwrap().set_len(1 << 30).unwrap();
        case.only(&QUICK);
        case.attack();
    }
    fn a_gigabyte_of_nothing(case) {
        let file = fs::File::create(&case.made.database).unwrap();
        file.set_len(1 << 30).unwrap();
        all_ended(&case.attack(), 3);
    }
    fn a_page_size_that_is_none(case) {
        case.bytes(|bytes| bytes[16..18].copy_from_slice(&[0x0f, 0xff]));
        all_ended(&case.attack(), 3);
    }
    fn another_page_size(case) {
        case.bytes(|bytes| bytes[16..18].copy_from_slice(&[2, 0]));
        all_ended(&case.attack(), 3);
    }
    fn all_of_a_page_reserved(case) {
        case.bytes(|bytes| bytes[20] = 255);
        case.attack();
    }
    fn a_later_file_format(case) {
        case.bytes(|bytes| bytes[18..20].fill(9));
        case.attack();
    }
    fn another_text_encoding(case) {
        case.bytes(|bytes| bytes[56..60].copy_from_slice(&[0, 0, 0, 2]));
        case.attack();
    }
    fn a_schema_format_that_is_none(case) {
        case.bytes(|bytes| bytes[44..48].fill(0x55));
        all_ended(&case.attack(), 3);
    }
    fn the_pages_of_the_paths_are_a_graph(case) {
        let all = graph_of(&mut case, "ValidPaths");
        all_ended(&all, 3);
        said(&all, "more time or memory");
    }
    fn the_pages_of_the_references_are_a_graph(case) {
        let all = graph_of(&mut case, "Refs");
        all_ended(&all, 3);
        said(&all, "more time or memory");
    }
    fn the_pages_of_the_outputs_are_a_graph(case) {
        case.sql("INSERT INTO DerivationOutputs VALUES (4, 'out', '/nix/store/x')");
        all_ended(&graph_of(&mut case, "DerivationOutputs"), 3);
    }
    fn the_pages_of_the_traces_are_a_graph(case) {
        case.sql("CREATE TABLE BuildTraceV3 (drvPath, outputName, outputPath);
                  INSERT INTO BuildTraceV3 VALUES ('a', 'b', 'c')");
        all_ended(&graph_of(&mut case, "BuildTraceV3"), 3);
    }
    fn the_pages_of_a_table_that_nobody_asks_for_are_a_graph(case) {
        case.sql("CREATE TABLE Others (x); INSERT INTO Others VALUES (1)");
        case.only(&[&["report", "--all"], &["audit"]]);
        said(&graph_of(&mut case, "Others"), "its integrity cannot be checked");
    }
    fn the_pages_of_the_schema_are_a_graph(case) {
        case.bytes(|bytes| {
            let first = bytes.len() / PAGE + 1;
            let page = inner(first, 300);
            // The root is after the file's header.
            bytes[100..112].copy_from_slice(&page[..12]);
            bytes[112..712].copy_from_slice(&page[12..612]);
            bytes[PAGE - 1800..PAGE].copy_from_slice(&page[PAGE - 1800..]);
            for i in 0..6 {
                bytes.extend(inner(first + i + 1, 300));
            }
            bytes.extend(inner(first, 300));
            let pages = (bytes.len() / PAGE) as u32;
            bytes[28..32].copy_from_slice(&pages.to_be_bytes());
        });
        all_ended(&case.attack(), 3);
    }
    fn a_page_that_is_its_own_child(case) {
        let root = root_page(&case, "ValidPaths");
        case.bytes(|bytes| {
            bytes[(root - 1) * PAGE..root * PAGE].copy_from_slice(&inner(root, 300));
        });
        all_ended(&case.attack(), 3);
    }
    fn overflow_pages_that_rows_share(case) {
        // A row of a megabyte, of which the page holds little; the page many times.
        case.sql(&format!(
            "UPDATE ValidPaths SET deriver = hex(zeroblob({})) WHERE id = 1", (489 + 250 * 4092) / 2
        ));
        let all = graph_of(&mut case, "ValidPaths");
        all_ended(&all, 3);
        said(&all, "more time or memory");
    }
    fn overflow_pages_in_a_ring(case) {
        case.sql("UPDATE ValidPaths SET deriver = hex(zeroblob(200000)) WHERE id = 1");
        case.bytes(|bytes| {
            for page in bytes.chunks_mut(PAGE).skip(8).filter(|page| page[4..8] == *b"0000") {
                page[..4].copy_from_slice(&12u32.to_be_bytes());
            }
        });
        case.attack();
    }
    fn free_pages_in_a_ring(case) {
        case.sql("CREATE TABLE gone (x); INSERT INTO gone VALUES (hex(zeroblob(90000))); DROP TABLE gone");
        case.bytes(|bytes| {
            let first = u32::from_be_bytes(bytes[32..36].try_into().unwrap()) as usize;
            let own = (first as u32).to_be_bytes();
            bytes[(first - 1) * PAGE..(first - 1) * PAGE + 4].copy_from_slice(&own);
        });
        case.attack();
    }
    fn a_table_that_begins_nowhere(case) {
        case.edit_schema("UPDATE sqlite_master SET rootpage = 4000 WHERE name = 'Refs'");
        all_ended(&case.attack(), 3);
    }
    fn two_tables_that_begin_at_one_page(case) {
        case.edit_schema("UPDATE sqlite_master SET rootpage = (SELECT rootpage FROM sqlite_master
                          WHERE name = 'ValidPaths') WHERE name = 'Refs'");
        case.attack();
    }
    fn an_index_of_an_expression_without_end(case) {
        // A program is as long as its text: the index is made while the table is empty.
        case.sql("CREATE TABLE bomb (x);
                  CREATE INDEX i ON bomb(length(hex(zeroblob(30000000 + x))));");
        case.edit_schema("UPDATE sqlite_master SET sql = 'CREATE TABLE bomb (x)' WHERE name = 'none'");
        let mut bytes = fs::read(&case.made.database).unwrap();
        let root = root_page(&case, "bomb");
        // A thousand rows of one number, made without the index.
        let page = &mut bytes[(root - 1) * PAGE..root * PAGE];
        for i in 0..500usize {
            let at = PAGE - 6 * (i + 1);
            let rowid = [0x80 | (i >> 7) as u8, (i & 0x7f) as u8];
            page[at..at + 6].copy_from_slice(&[2, rowid[0], rowid[1], 2, 9, 0]);
            page[8 + 2 * i..10 + 2 * i].copy_from_slice(&(at as u16).to_be_bytes());
        }
        page[3..5].copy_from_slice(&500u16.to_be_bytes());
        page[5..7].copy_from_slice(&((PAGE - 3000) as u16).to_be_bytes());
        fs::write(&case.made.database, bytes).unwrap();
        said(&case.attack(), "the expression of the index i");
    }
    fn an_index_with_a_condition(case) {
        case.sql("CREATE INDEX part ON ValidPaths(path) WHERE length(hex(narSize)) > 1");
        said(&case.attack(), "the condition of the index part");
    }
    fn a_generated_column_in_place_of_the_path(case) {
        replace_paths(
            &case,
            "id INTEGER PRIMARY KEY, path TEXT AS (hex(zeroblob(30000000))), hash, registrationTime,
             deriver, narSize, ultimate, sigs, ca",
            "id, hash, registrationTime, deriver, narSize, ultimate, sigs, ca",
        );
        all_ended(&case.attack(), 3);
    }
    fn a_generated_column_beside_the_others(case) {
        case.sql("ALTER TABLE ValidPaths ADD COLUMN more TEXT AS (hex(zeroblob(30000000 + id)))");
        said(&case.attack(), "the generated column more");
    }
    fn a_check_that_takes_for_ever(case) {
        replace_paths(&case, &format!("{ALL}, CHECK (length(hex(zeroblob(narSize * 0))) = 0)"), ALL);
        said(&case.attack(), "a CHECK constraint of the table ValidPaths");
    }
    fn triggers(case) {
        case.sql("CREATE TRIGGER t1 AFTER INSERT ON Refs BEGIN DELETE FROM ValidPaths; END;
                  CREATE TRIGGER t2 BEFORE UPDATE ON ValidPaths BEGIN SELECT load_extension('x'); END");
        case.attack();
    }
    fn a_view_in_place_of_the_paths(case) {
        case.sql("ALTER TABLE ValidPaths RENAME TO Real;
                  CREATE VIEW ValidPaths AS SELECT * FROM Real");
        all_ended(&case.attack(), 3);
    }
    fn a_view_in_place_of_the_references(case) {
        case.sql("DROP TABLE Refs; CREATE VIEW Refs AS
                  WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)
                  SELECT n AS referrer, n AS reference FROM r");
        all_ended(&case.attack(), 3);
    }
    fn a_view_in_place_of_the_outputs(case) {
        case.sql("DROP TABLE DerivationOutputs; CREATE VIEW DerivationOutputs AS
                  SELECT 1 AS drv, load_extension('x') AS id, 'x' AS path");
        all_ended(&case.attack(), 3);
    }
    fn a_view_in_place_of_the_traces(case) {
        case.sql("CREATE VIEW BuildTraceV3 AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1
                  FROM r) SELECT n AS drvPath, n AS outputName, n AS outputPath FROM r");
        case.attack();
    }
    fn a_virtual_table_in_place_of_the_traces(case) {
        case.edit_schema("INSERT INTO sqlite_master VALUES ('table', 'Realisations', 'Realisations', 0,
                          'CREATE VIRTUAL TABLE Realisations USING fts5(drvPath, outputName, outputPath)')");
        said(&case.attack(), "the virtual table Realisations");
    }
    fn a_virtual_table_of_an_unknown_module(case) {
        case.edit_schema("INSERT INTO sqlite_master VALUES
                          ('table', 'odd', 'odd', 0, 'CREATE VIRTUAL TABLE odd USING nothing(x)')");
        case.attack();
    }
    fn a_collation_that_nobody_knows(case) {
        case.edit_schema("UPDATE sqlite_master SET sql = replace(sql, 'path TEXT',
                          'path TEXT COLLATE nobody') WHERE name = 'ValidPaths'");
        case.attack();
    }
    fn a_table_without_rowids(case) {
        replace_paths(&case, &format!("{ALL}, PRIMARY KEY (path)) WITHOUT ROWID; CREATE TABLE y (x"), ALL);
        case.attack();
    }
    fn text_of_a_table_longer_than_any(case) {
        let long = format!("CREATE TABLE long (x DEFAULT '{}')", "x".repeat(300_000));
        case.db().execute_batch(&long).unwrap();
        all_ended(&case.attack(), 3);
    }
    fn three_thousand_tables(case) {
        let db = case.db();
        db.execute_batch("BEGIN").unwrap();
        for i in 0..3000 {
            db.execute_batch(&format!("CREATE TABLE t{i} (a, b, UNIQUE (a), UNIQUE (b))")).unwrap();
        }
        db.execute_batch("COMMIT").unwrap();
        case.only(&QUICK);
        case.attack();
    }
    fn two_thousand_columns(case) {
        let columns: Vec<_> = (0..1990).map(|i| format!("c{i}")).collect();
        replace_paths(&case, &format!("{ALL}, {}", columns.join(", ")), ALL);
        case.attack();
    }
    fn a_default_as_long_as_all_rows(case) {
        replace_paths(&case, "id INTEGER PRIMARY KEY, path", "id, path");
        let db = case.db();
        db.execute_batch("BEGIN").unwrap();
        for i in 10..3000i64 {
            db.execute("INSERT INTO ValidPaths VALUES (?1, ?2)", (i, path(i, "x"))).unwrap();
        }
        let long = "x".repeat(60_000);
        db.execute_batch(&format!("COMMIT; ALTER TABLE ValidPaths ADD COLUMN deriver DEFAULT '{long}'"))
            .unwrap();
        case.only(&QUICK);
        let all = case.attack();
        all_ended(&all, 3);
        said(&all, "more time or memory");
    }
    fn statistics_that_lie(case) {
        case.sql("ANALYZE; UPDATE sqlite_stat1 SET stat = '99999999999999999999 1 1 unordered'");
        case.attack();
    }
    fn types_that_are_others(case) {
        case.sql(&format!(
            "DROP TABLE ValidPaths; DROP TABLE Refs; DROP TABLE DerivationOutputs; {LOOSE}
             INSERT INTO ValidPaths VALUES ('1', x'00ff', 1.5, 'x', 7, x'ff', 'much', 1e99, -1);
             INSERT INTO ValidPaths VALUES (9e99, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
             INSERT INTO Refs VALUES ('a', x'00'); INSERT INTO Refs VALUES (1e300, -1e300);
             INSERT INTO DerivationOutputs VALUES (x'', 1.5, -1)"
        ));
        all_ended(&case.attack(), 3);
    }
    fn a_hundred_thousand_odd_rows(case) {
        case.sql(&format!("DROP TABLE ValidPaths; DROP TABLE Refs; DROP TABLE DerivationOutputs; {LOOSE}"));
        insert(&case.db(), 1, path(1, "hello-1.0").as_bytes(), Some(120));
        case.sql("WITH RECURSIVE r(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM r WHERE n < 100000)
                  INSERT INTO ValidPaths (id) SELECT n FROM r;
                  INSERT INTO Refs SELECT 1, id FROM ValidPaths");
        case.only(&QUICK);
        all_ended(&case.attack(), 3);
    }
    fn a_long_odd_path_that_all_refer_to(case) {
        case.sql(&format!("DROP TABLE ValidPaths; DROP TABLE Refs; DROP TABLE DerivationOutputs; {LOOSE}"));
        insert(&case.db(), 1, path(1, "hello-1.0").as_bytes(), Some(120));
        case.sql("INSERT INTO ValidPaths (id, path) VALUES (2, hex(zeroblob(1000000)));
                  WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 50000)
                  INSERT INTO Refs SELECT 1, 2 FROM r");
        case.only(&QUICK);
        all_ended(&case.attack(), 3);
    }
    fn sizes_beyond_any_sum(case) {
        case.sql("UPDATE ValidPaths SET narSize = 9223372036854775807");
        all_ended(&case.attack(), 3);
    }
    fn times_that_no_calendar_has(case) {
        case.sql("UPDATE ValidPaths SET registrationTime = (id - 2) * 9223372036854775806");
        case.attack();
    }
    fn everything_refers_to_everything(case) {
        case.sql("DELETE FROM Refs; INSERT INTO Refs SELECT a.id, b.id FROM ValidPaths a, ValidPaths b");
        case.attack();
    }
    fn a_database_of_something_else(case) {
        case.sql("DROP TABLE ValidPaths; DROP TABLE Refs; CREATE TABLE Songs (title)");
        all_ended(&case.attack(), 3);
    }
    fn rows_that_escape_from_the_store_directory(case) {
        case.sql(&format!("DROP TABLE ValidPaths; DROP TABLE Refs; DROP TABLE DerivationOutputs; {LOOSE}"));
        let good = path(1, "hello-1.0");
        let db = case.db();
        insert(&db, 1, good.as_bytes(), Some(120));
        for (id, odd) in [(2, "/nix/store/../../../outside"), (3, "/nix/store/."), (4, "//nix/store/x")] {
            insert(&db, id, odd.as_bytes(), Some(120));
        }
        insert(&db, 5, format!("{}/../../../../outside", path(5, "x")).as_bytes(), Some(120));
        drop(db);
        case.only(&QUICK);
        case.attack();
    }
}
