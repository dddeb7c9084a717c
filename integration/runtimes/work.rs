// What Rust programs do: threads, std::process, std::fs with copy_file_range, sockets, panics caught.
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::{env, panic, thread};

fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(14695981039346656037, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(1099511628211))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{:?} {:?}", env::current_exe()?, env::args().skip(1).collect::<Vec<_>>());
    fs::create_dir_all("made/a/b")?;
    let threads: Vec<_> = (0..32)
        .map(|n| {
            thread::spawn(move || {
                let name = format!("made/{n}");
                fs::write(&name, name.repeat(n * 100)).unwrap();
                sum(&fs::read(&name).unwrap())
            })
        })
        .collect();
    println!("threads {:x}", threads.into_iter().fold(0u64, |all, one| all.wrapping_mul(31) ^ one.join().unwrap()));

    println!("copied {}", fs::copy("big.bin", "copy")?);
    println!("copied {:x} {:x}", sum(&fs::read("copy")?), sum(&fs::read("big.bin")?));
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o640).open("fresh")?;
    file.write_all(b"0123456789")?;
    file.write_all_at(b"xyz", 20)?;
    file.seek(SeekFrom::Start(5))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    file.set_len(22)?;
    file.sync_all()?;
    println!("{:?} {} {:o}", rest, file.metadata()?.len(), file.metadata()?.permissions().mode());
    println!("{:?}", OpenOptions::new().write(true).create_new(true).open("fresh").map_err(|e| e.kind()).err());
    println!("{:?}", File::open("nowhere").map_err(|e| e.raw_os_error()).err());

    let mut child = Command::new("sort").arg("-r").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().unwrap().write_all(b"a\nc\nb\n")?;
    println!("{:?}", String::from_utf8(child.wait_with_output()?.stdout)?);
    println!("{}", Command::new("sh").args(["-c", "exit 3"]).env_clear().current_dir("dir").status()?);
    println!("{:?}", Command::new("./nowhere").spawn().map_err(|e| e.kind()).err());

    let listener = UnixListener::bind("socket")?;
    let peer = thread::spawn(|| UnixStream::connect("socket").unwrap().write_all(b"over a socket\n").unwrap());
    let mut line = String::new();
    BufReader::new(listener.accept()?.0).read_line(&mut line)?;
    peer.join().unwrap();
    print!("{line}");

    fs::hard_link("fresh", "linked")?;
    std::os::unix::fs::symlink("fresh", "soft")?;
    println!("{} {:?} {:?}", fs::metadata("linked")?.nlink(), fs::read_link("soft")?, fs::canonicalize("dirlink/../link")?);
    let mut names: Vec<_> = fs::read_dir("dir")?.map(|e| e.unwrap()).map(|e| (e.file_name(), e.file_type().unwrap().is_dir())).collect();
    names.sort();
    println!("{names:?}");
    fs::rename("made", "moved")?;
    fs::remove_dir_all("moved")?;
    panic::set_hook(Box::new(|_| ()));
    println!("{}", panic::catch_unwind(|| { let none: Option<u8> = None; none.unwrap() }).is_err());
    std::process::exit(9)
}
