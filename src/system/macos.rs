//! The one call into macOS that neither std nor rustix makes for us.
#![expect(
    unsafe_code,
    reason = "gethostuuid is C and fills a buffer of ours; there is no safe wrapper of it"
)]

/// What tells this machine from others: the hardware's own id (`IOPlatformUUID`).
pub(super) fn machine_id() -> Option<[u8; 16]> {
    let mut id = [0; 16];
    let wait = libc::timespec {
        tv_sec: 2,
        tv_nsec: 0,
    };
    // SAFETY: the buffer has the 16 bytes of a uuid_t, and the time outlives the call.
    (unsafe { libc::gethostuuid(id.as_mut_ptr(), &raw const wait) } == 0).then_some(id)
}
