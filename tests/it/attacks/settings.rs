//! Settings files: not to be read, without end, made to take all there is.

use super::*;

const ASKS: [&[&str]; 2] = [&["garbage", "--no-runtime"], &["roots", "--no-runtime"]];

/// The commands that settings decide are incomplete.
#[track_caller]
fn incomplete(case: &mut Case) -> Vec<Ran> {
    case.only(&ASKS);
    let all = case.attack();
    all_ended(&all, 3);
    all
}

attacks! {
    fn a_settings_file_that_may_not_be_read(case) {
        if as_nobody(&mut case) {
            fs::set_permissions(case.at("etc/nix/nix.conf"), PermissionsExt::from_mode(0o600)).unwrap();
            said(&incomplete(&mut case), "nix.conf: cannot be read");
        }
    }
    fn a_settings_directory_that_may_not_be_entered(case) {
        if as_nobody(&mut case) {
            fs::set_permissions(case.at("etc/nix"), PermissionsExt::from_mode(0o700)).unwrap();
            said(&incomplete(&mut case), "nix.conf: cannot be read");
        }
    }
    fn a_settings_file_behind_a_loop_of_links(case) {
        fs::remove_file(case.at("etc/nix/nix.conf")).unwrap();
        symlink("nix.conf", case.at("etc/nix/nix.conf")).unwrap();
        said(&incomplete(&mut case), "nix.conf: cannot be read");
    }
    fn a_settings_directory_behind_a_loop_of_links(case) {
        fs::remove_dir_all(case.at("etc/nix")).unwrap();
        symlink("nix", case.at("etc/nix")).unwrap();
        incomplete(&mut case);
    }
    fn a_settings_directory_that_is_a_file(case) {
        fs::remove_dir_all(case.at("etc/nix")).unwrap();
        fs::write(case.at("etc/nix"), "x").unwrap();
        case.only(&ASKS);
        case.attack();
    }
    fn a_settings_file_that_includes_itself(case) {
        fs::write(case.at("etc/nix/nix.conf"), "include nix.conf\n".repeat(1000)).unwrap();
        incomplete(&mut case);
    }
    fn settings_files_that_include_each_other(case) {
        for i in 0..12 {
            let name = if i == 0 { "nix.conf".to_owned() } else { format!("{i}.conf") };
            let text = format!("include {}.conf\n", i + 1).repeat(40);
            fs::write(case.at("etc/nix").join(name), text).unwrap();
        }
        fs::write(case.at("etc/nix/12.conf"), "").unwrap();
        said(&incomplete(&mut case), "more files than");
    }
    fn a_settings_file_of_missing_includes(case) {
        fs::write(case.at("etc/nix/nix.conf"), "!include gone\n".repeat(70_000)).unwrap();
        incomplete(&mut case);
    }
    fn a_settings_file_of_a_hundred_thousand_words(case) {
        fs::write(case.at("etc/nix/nix.conf"), format!("trusted-users = {}", "x ".repeat(500_000))).unwrap();
        case.only(&ASKS);
        case.attack();
    }
    fn a_settings_file_that_is_too_long(case) {
        fs::write(case.at("etc/nix/nix.conf"), "# x\n".repeat(1 << 20)).unwrap();
        incomplete(&mut case);
    }
    fn a_settings_file_of_noise(case) {
        let noise: Vec<u8> = (0..90_000u32).map(|i| (i * 31 + i / 251) as u8).collect();
        fs::write(case.at("etc/nix/nix.conf"), noise).unwrap();
        incomplete(&mut case);
    }
}
