//! What Windows says about our session, its screen and the person's attention.
//!
//! Refuses to know: what follows from it; `dialog::presence` judges.
#![expect(
    unsafe_code,
    reason = "the questions are C interfaces; DESIGN §6 allows them here"
)]

use super::raw::wide;
use crate::approve::dialog::presence::{Attention, Seen};
use std::ptr;
use windows_sys::Win32::System::RemoteDesktop::{
    ProcessIdToSessionId, WTS_CURRENT_SERVER_HANDLE, WTS_CURRENT_SESSION, WTS_SESSIONSTATE_LOCK,
    WTS_SESSIONSTATE_UNLOCK, WTSDisconnected, WTSFreeMemory, WTSINFOEXW, WTSQuerySessionInformationW,
    WTSSendMessageW, WTSSessionInfoEx,
};
use windows_sys::Win32::System::StationsAndDesktops::{
    GetProcessWindowStation, GetUserObjectInformationW, UOI_FLAGS, USEROBJECTFLAGS,
};
use windows_sys::Win32::UI::Shell::{
    QUNS_APP, QUNS_BUSY, QUNS_NOT_PRESENT, QUNS_PRESENTATION_MODE, QUNS_QUIET_TIME,
    QUNS_RUNNING_D3D_FULL_SCREEN, SHQueryUserNotificationState,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    MB_ICONWARNING, MB_OK, MB_SETFOREGROUND, MB_TOPMOST, WSF_VISIBLE,
};

/// What Windows says now.
pub(super) fn look() -> Seen {
    let (attached, locked) = session_state();
    Seen {
        session: session_number(),
        has_screen: has_screen(),
        attached,
        locked,
        attention: attention(),
    }
}

fn session_number() -> Option<u32> {
    let mut number = 0_u32;
    // SAFETY: writes one number.
    let known = unsafe { ProcessIdToSessionId(std::process::id(), &raw mut number) };
    (known != 0).then_some(number)
}

/// Whether the window station that we belong to has a screen.
fn has_screen() -> Option<bool> {
    let mut flags = USEROBJECTFLAGS::default();
    let size = u32::try_from(size_of::<USEROBJECTFLAGS>()).ok()?;
    // SAFETY: the struct is of the size told; the handle is ours and needs no closing.
    let known = unsafe {
        GetUserObjectInformationW(
            GetProcessWindowStation(),
            UOI_FLAGS,
            (&raw mut flags).cast(),
            size,
            ptr::null_mut(),
        )
    };
    (known != 0).then_some(flags.dwFlags & WSF_VISIBLE.cast_unsigned() != 0)
}

/// Whether a screen is attached to the session, and whether it is locked.
fn session_state() -> (Option<bool>, Option<bool>) {
    let (mut buffer, mut bytes) = (ptr::null_mut::<u16>(), 0_u32);
    // SAFETY: Windows allocates the answer and tells where it is and how large.
    let known = unsafe {
        WTSQuerySessionInformationW(
            WTS_CURRENT_SERVER_HANDLE,
            WTS_CURRENT_SESSION,
            WTSSessionInfoEx,
            &raw mut buffer,
            &raw mut bytes,
        )
    };
    if known == 0 || buffer.is_null() {
        return (None, None);
    }
    let whole = usize::try_from(bytes).is_ok_and(|bytes| bytes >= size_of::<WTSINFOEXW>());
    // SAFETY: read only where the answer is as large as the struct, of which level 1 is all there is; copied, whatever
    // its alignment, and given back to whom it belongs.
    let info = unsafe {
        let info = whole.then(|| buffer.cast::<WTSINFOEXW>().read_unaligned());
        WTSFreeMemory(buffer.cast());
        info.filter(|info| info.Level == 1)
            .map(|info| info.Data.WTSInfoExLevel1)
    };
    let Some(info) = info else { return (None, None) };
    let locked = match info.SessionFlags.cast_unsigned() {
        WTS_SESSIONSTATE_LOCK => Some(true),
        WTS_SESSIONSTATE_UNLOCK => Some(false),
        _ => None,
    };
    (Some(info.SessionState != WTSDisconnected), locked)
}

fn attention() -> Attention {
    let mut state = 0;
    // SAFETY: writes one number.
    if unsafe { SHQueryUserNotificationState(&raw mut state) } < 0 {
        return Attention::Free;
    }
    match state {
        QUNS_NOT_PRESENT => Attention::Absent,
        QUNS_BUSY | QUNS_PRESENTATION_MODE | QUNS_APP => Attention::FullScreen,
        QUNS_RUNNING_D3D_FULL_SCREEN => Attention::Exclusive,
        QUNS_QUIET_TIME => Attention::Quiet,
        _ => Attention::Free,
    }
}

/// Hands a text to Windows itself, which shows it until the person closes it, also when this process is gone.
pub(super) fn leave_behind(title: &str, text: &str) {
    let (title, text) = (wide(title), wide(text));
    let bytes =
        |text: &[u16]| u32::try_from(text.len().saturating_sub(1).saturating_mul(2)).unwrap_or_default();
    let mut response = 0;
    // SAFETY: both texts live until the call returns, and are as long as told; Windows copies them and does not wait.
    unsafe {
        WTSSendMessageW(
            WTS_CURRENT_SERVER_HANDLE,
            WTS_CURRENT_SESSION,
            title.as_ptr(),
            bytes(&title),
            text.as_ptr(),
            bytes(&text),
            MB_OK | MB_ICONWARNING | MB_SETFOREGROUND | MB_TOPMOST,
            0,
            &raw mut response,
            0,
        )
    };
}
