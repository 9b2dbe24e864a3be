//! The client's pipes, looked at before they are touched: what would wait is left to a thread.
//!
//! A thread that is woken for each message costs more than the message. So where the system can say whether a pipe has bytes,
//! or room, the one thread that does the work reads and writes it itself; this is so on Linux, for pipes and for the sockets
//! that some clients use in their place. What they are elsewhere, and a file or a terminal, has threads of its own.

#[cfg(target_os = "linux")]
pub use linux::{Reader, Writer};
#[cfg(not(target_os = "linux"))]
pub use other::{Reader, Writer};

/// Waits until our stdin has something to read, or its end. For a thread whose read would not wait: whoever has the same end
/// of it may have made it non-blocking, for all who have it.
pub fn wait_for_input() {
    #[cfg(unix)]
    wait_for(std::io::stdin(), rustix::event::PollFlags::IN);
    #[cfg(not(unix))]
    std::thread::sleep(PAUSE);
}

/// The same for room in our stdout.
pub fn wait_for_room() {
    #[cfg(unix)]
    wait_for(std::io::stdout(), rustix::event::PollFlags::OUT);
    #[cfg(not(unix))]
    std::thread::sleep(PAUSE);
}

/// For a system that cannot be asked, or does not say.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

#[cfg(unix)]
fn wait_for(fd: impl std::os::fd::AsFd, events: rustix::event::PollFlags) {
    use rustix::event::{PollFd, PollFlags, poll};
    let mut looked = PollFd::new(&fd, events);
    let asked = poll(std::slice::from_mut(&mut looked), None);
    // macOS cannot be asked about a terminal.
    if asked.is_err() || looked.revents().contains(PollFlags::NVAL) {
        std::thread::sleep(PAUSE);
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{FileType, fstat};
    use rustix::io::Errno;
    use std::io::Stdout;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// What a wide pipe holds: what a user without rights may ask for (pipe(7), /proc/sys/fs/pipe-max-size).
    const WIDE: usize = 1024 * 1024;

    fn is_pipe(fd: BorrowedFd<'_>) -> bool {
        fstat(fd).is_ok_and(|stat| {
            let kind = FileType::from_raw_mode(stat.st_mode);
            matches!(kind, FileType::Fifo | FileType::Socket)
        })
    }

    /// Whether the other side, or its end, can be seen there at once.
    fn is_ready(fd: BorrowedFd<'_>, events: PollFlags) -> bool {
        let mut looked = [PollFd::from_borrowed_fd(fd, events)];
        poll(&mut looked, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Our stdin, where it is a pipe.
    #[derive(Debug)]
    pub struct Reader(AsyncFd<OwnedFd>);

    impl Reader {
        /// `None` where it is something else. Wants a runtime.
        pub fn stdin() -> Option<Self> {
            let stdin = std::io::stdin().as_fd().try_clone_to_owned().ok()?;
            if !is_pipe(stdin.as_fd()) {
                return None;
            }
            #[expect(unsafe_code, reason = "tokio cannot see that the descriptor stays open")]
            // SAFETY: it is our own copy of the descriptor, which this value owns and which nobody else closes or replaces.
            let reader = unsafe { AsyncFd::register_with_interest(stdin, Interest::READABLE) };
            reader.ok().map(Self)
        }

        /// Waits for the next bytes; 0 at the end. Nothing is lost where this is dropped.
        ///
        /// # Errors
        /// As the system says.
        pub async fn read(&self, into: &mut [u8]) -> std::io::Result<usize> {
            loop {
                let mut ready = self.0.readable().await?;
                // The pipe is not ours alone, so it is never made non-blocking (that would be so for everybody who has it). A
                // read that has something to read does not wait.
                if !is_ready(self.0.get_ref().as_fd(), PollFlags::IN) {
                    ready.clear_ready();
                    continue;
                }
                match rustix::io::read(self.0.get_ref(), &mut *into) {
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => ready.clear_ready(),
                    outcome => {
                        let length = outcome?;
                        // It was all that there was: what comes next is told as something new (epoll(7), edge-triggered).
                        if (1..into.len()).contains(&length) {
                            ready.clear_ready();
                        }
                        return Ok(length);
                    }
                }
            }
        }
    }

    /// Our stdout, where it is a pipe.
    #[derive(Debug)]
    pub struct Writer {
        out: Stdout,
        widened: AtomicBool,
    }

    impl Writer {
        /// Bytes that a pipe takes whole or not at all where it has room (`PIPE_BUF`, pipe(7)): then a write that begins does
        /// not wait.
        pub const WHOLE: usize = 4096;

        /// `None` where it is something else.
        pub fn stdout() -> Option<Self> {
            let stdout = std::io::stdout();
            is_pipe(stdout.as_fd()).then_some(Self {
                out: stdout,
                widened: AtomicBool::new(false),
            })
        }

        /// Makes room in the pipe for more at a time, once something large goes through it: each time that it is full, two
        /// processes wait for each other. The system may refuse it, which costs nothing.
        pub fn widen(&self) {
            if !self.widened.swap(true, Ordering::Relaxed) {
                let _ = rustix::pipe::fcntl_setpipe_size(&self.out, WIDE);
            }
        }

        /// Writes what can be written without waiting: how much of it that was. 0 where it is too much, or there is no room.
        ///
        /// # Errors
        /// As the system says; the reader may be gone.
        pub fn write_some(&self, bytes: &[u8]) -> std::io::Result<usize> {
            if bytes.len() > Self::WHOLE || !is_ready(self.out.as_fd(), PollFlags::OUT) {
                return Ok(0);
            }
            match rustix::io::write(&self.out, bytes) {
                Err(Errno::INTR | Errno::AGAIN) => Ok(0),
                outcome => Ok(outcome?),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    /// There is none here.
    #[derive(Debug)]
    pub enum Reader {}

    impl Reader {
        /// There is none here.
        pub fn stdin() -> Option<Self> {
            None
        }

        /// Never called.
        ///
        /// # Errors
        /// None.
        pub fn read(&self, _: &mut [u8]) -> std::future::Ready<std::io::Result<usize>> {
            match *self {}
        }
    }

    /// There is none here.
    #[derive(Debug)]
    pub enum Writer {}

    impl Writer {
        /// As on Linux.
        pub const WHOLE: usize = 4096;

        /// There is none here.
        pub fn stdout() -> Option<Self> {
            None
        }

        /// Never called.
        pub fn widen(&self) {
            match *self {}
        }

        /// Never called.
        ///
        /// # Errors
        /// None.
        pub fn write_some(&self, _: &[u8]) -> std::io::Result<usize> {
            match *self {}
        }
    }
}
