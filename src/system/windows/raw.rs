//! The calls into Windows that std does not make for us. Every one is wrapped here, so that nothing unsafe is outside.
//!
//! Owns: pointers, handles and buffers of Windows. Refuses to know: what an answer means for anybody. Each wrapper checks
//! what came back before it reads it; where Windows refuses, the answer is `None` or the system's own error.
#![expect(
    unsafe_code,
    reason = "Windows' functions are C and take pointers; what each call needs stands beside it"
)]

use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::ptr::{null, null_mut};
use windows_sys::Win32::Foundation::{
    ERROR_SUCCESS, FILETIME, HLOCAL, INVALID_HANDLE_VALUE, LocalFree, WAIT_OBJECT_0,
};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetSecurityInfo, SDDL_REVISION_1, SE_FILE_OBJECT,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetTokenInformation, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR,
    SetKernelObjectSecurity, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
use windows_sys::Win32::Storage::Packaging::Appx::GetCurrentPackageFullName;
use windows_sys::Win32::System::Com::{
    COINIT_APARTMENTTHREADED, COINIT_DISABLE_OLE1DDE, CoInitializeEx, CoUninitialize,
};
use windows_sys::Win32::System::Console::{
    FlushConsoleInputBuffer, GetConsoleMode, GetConsoleOutputCP, INPUT_RECORD, KEY_EVENT, ReadConsoleInputW,
    SetConsoleMode,
};
use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOGPFAULTERRORBOX, SetErrorMode,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::LibraryLoader::{LOAD_LIBRARY_SEARCH_SYSTEM32, SetDefaultDllDirectories};
use windows_sys::Win32::System::Registry::{
    HKEY_LOCAL_MACHINE, RRF_RT_REG_SZ, RRF_SUBKEY_WOW6464KEY, RegGetValueW,
};
use windows_sys::Win32::System::RemoteDesktop::{
    ProcessIdToSessionId, WTS_CURRENT_SERVER_HANDLE, WTS_CURRENT_SESSION, WTSFreeMemory, WTSINFOEXW,
    WTSQuerySessionInformationW, WTSSessionInfoEx,
};
use windows_sys::Win32::System::Threading::{
    GetCurrentProcess, GetProcessTimes, OpenProcess, OpenProcessToken, PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_SYNCHRONIZE, WaitForSingleObject,
};
use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTime;
use windows_sys::Win32::UI::Input::KeyboardAndMouse::VK_MENU;
use windows_sys::Win32::UI::Shell::{SHQueryUserNotificationState, ShellExecuteW};
use windows_sys::Win32::UI::WindowsAndMessaging::{GetSystemMetrics, SM_REMOTESESSION, SW_SHOWNORMAL};
use windows_sys::core::PWSTR;

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// Up to the first zero.
fn narrow(units: &[u16]) -> String {
    let end = units.iter().position(|&unit| unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(units.get(..end).unwrap_or_default())
}

/// The size of a thing as Windows counts it.
fn size<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or(u32::MAX)
}

/// Reads and frees a text that Windows has made.
///
/// # Safety
/// The pointer is null, or a zero-terminated text from `LocalAlloc` that nobody else frees.
unsafe fn take_text(text: PWSTR) -> Option<String> {
    if text.is_null() {
        return None;
    }
    let mut length = 0;
    // SAFETY: the text ends in a zero, and nothing behind it is read.
    while unsafe { *text.add(length) } != 0 {
        length += 1;
    }
    // SAFETY: as many units as were just walked over.
    let found = String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(text, length) });
    // SAFETY: it came from LocalAlloc and is not used after this.
    unsafe { LocalFree(text.cast()) };
    Some(found)
}

// ---- who may do what with a file ------------------------------------------------------------------------------------

/// Owner and permissions of an open file, in Windows' text form (SDDL).
pub(in super::super) fn permissions(file: &std::fs::File) -> io::Result<String> {
    const WHAT: u32 = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
    let mut found: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the handle is open for as long as `file` is borrowed; the one out-pointer is ours, the others may be null.
    let result = unsafe {
        GetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            WHAT,
            null_mut(),
            null_mut(),
            null_mut(),
            null_mut(),
            &raw mut found,
        )
    };
    if result != ERROR_SUCCESS {
        return Err(io::Error::from_raw_os_error(result.cast_signed()));
    }
    let mut text: PWSTR = null_mut();
    // SAFETY: what the call before gave; the out-pointer is ours.
    let done = unsafe {
        ConvertSecurityDescriptorToStringSecurityDescriptorW(
            found,
            SDDL_REVISION_1,
            WHAT,
            &raw mut text,
            null_mut(),
        )
    };
    let error = io::Error::last_os_error();
    // SAFETY: GetSecurityInfo gives it to the caller to free; it is not used after this.
    unsafe { LocalFree(found as HLOCAL) };
    if done == 0 {
        return Err(error);
    }
    // SAFETY: the call succeeded and gives the text to the caller.
    unsafe { take_text(text) }.ok_or(error)
}

/// How many bytes this user may still write where this folder lies.
pub(in super::super) fn free_space(folder: &std::path::Path) -> Option<u64> {
    use std::os::windows::ffi::OsStrExt;
    let name: Vec<u16> = folder.as_os_str().encode_wide().chain([0]).collect();
    let mut free = 0;
    // SAFETY: the name ends in a zero; the first out-pointer is ours, the others may be null.
    let done = unsafe { GetDiskFreeSpaceExW(name.as_ptr(), &raw mut free, null_mut(), null_mut()) };
    (done != 0).then_some(free)
}

/// The security id of the user that this process runs as, such as `S-1-5-21-…-1001`.
pub(in super::super) fn user_id() -> Option<String> {
    let mut token = null_mut();
    // SAFETY: the pseudo handle of this process is always valid; the out-pointer is ours.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) } == 0 {
        return None;
    }
    // SAFETY: just opened, and owned by nobody else.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    // A TOKEN_USER and the longest id (68 bytes) behind it, aligned for its pointer.
    let mut buffer = [0u64; 32];
    let mut length = 0;
    // SAFETY: the buffer is as long as it is said to be.
    let done = unsafe {
        GetTokenInformation(
            token.as_raw_handle(),
            TokenUser,
            buffer.as_mut_ptr().cast(),
            size::<[u64; 32]>(),
            &raw mut length,
        )
    };
    if done == 0 || length < size::<TOKEN_USER>() {
        return None;
    }
    // SAFETY: Windows has filled in at least that much, and u64 is aligned for it.
    let user = unsafe { &*buffer.as_ptr().cast::<TOKEN_USER>() };
    let mut text: PWSTR = null_mut();
    // SAFETY: the id lies in `buffer`, which is still there; the out-pointer is ours.
    if unsafe { ConvertSidToStringSidW(user.User.Sid, &raw mut text) } == 0 {
        return None;
    }
    // SAFETY: the call succeeded and gives the text to the caller.
    unsafe { take_text(text) }
}

// ---- this process ---------------------------------------------------------------------------------------------------

/// No dialog and no dump when this process fails, and no library from anywhere but Windows' own folder.
pub(in super::super) fn fail_quietly() {
    // SAFETY: both change settings of this process and take no pointers.
    unsafe {
        SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
        SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
    }
}

/// Replaces the permissions of this process by these (SDDL).
pub(in super::super) fn set_process_permissions(sddl: &str) -> bool {
    let sddl = wide(sddl);
    let mut made: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the text ends in a zero; the out-pointer is ours.
    let done = unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(
            sddl.as_ptr(),
            SDDL_REVISION_1,
            &raw mut made,
            null_mut(),
        )
    };
    if done == 0 {
        return false;
    }
    // SAFETY: what the call before made, freed after its last use.
    unsafe {
        let done = SetKernelObjectSecurity(GetCurrentProcess(), DACL_SECURITY_INFORMATION, made);
        LocalFree(made as HLOCAL);
        done != 0
    }
}

/// When a process began, in steps of 100 ns.
fn began(process: &impl AsRawHandle) -> Option<u64> {
    let [mut began, mut ended, mut kernel, mut user] = [FILETIME::default(); 4];
    // SAFETY: the handle is open while it is borrowed; the four out-pointers are ours.
    let done = unsafe {
        GetProcessTimes(
            process.as_raw_handle(),
            &raw mut began,
            &raw mut ended,
            &raw mut kernel,
            &raw mut user,
        )
    };
    (done != 0).then(|| u64::from(began.dwHighDateTime) << 32 | u64::from(began.dwLowDateTime))
}

/// This process, as a handle that needs no closing.
struct This;

impl AsRawHandle for This {
    fn as_raw_handle(&self) -> std::os::windows::io::RawHandle {
        // SAFETY: gives a constant.
        unsafe { GetCurrentProcess() }
    }
}

/// The process that started this one, if it still runs and lets itself be waited for.
pub(in super::super) fn parent() -> Option<OwnedHandle> {
    let this = std::process::id();
    // SAFETY: takes no pointers.
    let list = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if list == INVALID_HANDLE_VALUE {
        return None;
    }
    // SAFETY: just opened, and owned by nobody else.
    let list = unsafe { OwnedHandle::from_raw_handle(list) };
    let mut entry = PROCESSENTRY32W {
        dwSize: size::<PROCESSENTRY32W>(),
        ..Default::default()
    };
    // SAFETY: the entry says how long it is.
    let mut more = unsafe { Process32FirstW(list.as_raw_handle(), &raw mut entry) };
    while more != 0 && entry.th32ProcessID != this {
        // SAFETY: as before.
        more = unsafe { Process32NextW(list.as_raw_handle(), &raw mut entry) };
    }
    if more == 0 {
        return None;
    }
    let access = PROCESS_SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION;
    // SAFETY: takes no pointers.
    let opened = unsafe { OpenProcess(access, 0, entry.th32ParentProcessID) };
    if opened.is_null() {
        return None;
    }
    // SAFETY: just opened, and owned by nobody else.
    let opened = unsafe { OwnedHandle::from_raw_handle(opened) };
    // A number is given again: what began after us is another process that has our dead parent's.
    (began(&opened)? <= began(&This)?).then_some(opened)
}

/// Whether a process has ended.
pub(in super::super) fn has_ended(process: &OwnedHandle) -> bool {
    // SAFETY: the handle is open while it is borrowed; a time of zero does not wait.
    unsafe { WaitForSingleObject(process.as_raw_handle(), 0) == WAIT_OBJECT_0 }
}

/// Steps of 100 ns in which the machine was awake since it was started.
pub(in super::super) fn awake() -> Option<u64> {
    let mut steps = 0;
    // SAFETY: the out-pointer is ours.
    (unsafe { QueryUnbiasedInterruptTime(&raw mut steps) } != 0).then_some(steps)
}

/// A text in the registry's part for the machine.
pub(in super::super) fn registry_text(key: &str, value: &str) -> Option<String> {
    let (key, value) = (wide(key), wide(value));
    let mut found = [0u16; 128];
    let mut bytes = size::<[u16; 128]>();
    // SAFETY: both names end in a zero; the buffer is as long as it is said to be.
    let result = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            value.as_ptr(),
            RRF_RT_REG_SZ | RRF_SUBKEY_WOW6464KEY,
            null_mut(),
            found.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    (result == ERROR_SUCCESS).then(|| narrow(&found))
}

/// The packaged program (MSIX) that this process belongs to.
pub(in super::super) fn package() -> Option<String> {
    let mut name = [0u16; 256];
    let mut length = 256;
    // SAFETY: the buffer is as long as it is said to be.
    let result = unsafe { GetCurrentPackageFullName(&raw mut length, name.as_mut_ptr()) };
    (result == ERROR_SUCCESS).then(|| narrow(&name))
}

// ---- the desktop ----------------------------------------------------------------------------------------------------

/// Opens an address with whatever the person's Windows opens it with; at a failure, Windows' number for it.
pub(in super::super) fn shell_open(address: &str) -> Result<(), usize> {
    let (verb, address) = (wide("open"), wide(address));
    let how = (COINIT_APARTMENTTHREADED | COINIT_DISABLE_OLE1DDE).cast_unsigned();
    // SAFETY: takes no pointer but a reserved null one. It belongs to this thread, and is taken back below if it was given.
    let prepared = unsafe { CoInitializeEx(null(), how) } >= 0;
    // SAFETY: the texts end in a zero and outlive the call; the other pointers may be null.
    let result = unsafe {
        ShellExecuteW(
            null_mut(),
            verb.as_ptr(),
            address.as_ptr(),
            null(),
            null(),
            SW_SHOWNORMAL,
        )
    };
    if prepared {
        // SAFETY: ends what began above, on the same thread.
        unsafe { CoUninitialize() };
    }
    // By its documentation a number over 32 and no handle.
    let result = result.addr();
    if result > 32 { Ok(()) } else { Err(result) }
}

/// The session of this process; 0 is the one of services.
pub(in super::super) fn session_id() -> Option<u32> {
    let mut session = 0;
    // SAFETY: the out-pointer is ours.
    (unsafe { ProcessIdToSessionId(std::process::id(), &raw mut session) } != 0).then_some(session)
}

/// Whether this session is seen over the network.
pub(in super::super) fn is_remote() -> bool {
    // SAFETY: takes no pointers.
    unsafe { GetSystemMetrics(SM_REMOTESESSION) != 0 }
}

/// How this session is connected and whether it is locked, in Windows' numbers.
pub(in super::super) fn session() -> Option<(i32, i32)> {
    let mut found: PWSTR = null_mut();
    let mut bytes = 0;
    // SAFETY: the out-pointers are ours.
    let done = unsafe {
        WTSQuerySessionInformationW(
            WTS_CURRENT_SERVER_HANDLE,
            WTS_CURRENT_SESSION,
            WTSSessionInfoEx,
            &raw mut found,
            &raw mut bytes,
        )
    };
    if done == 0 || found.is_null() {
        return None;
    }
    let mut answer = None;
    if bytes >= size::<WTSINFOEXW>() {
        // SAFETY: Windows has filled in at least that much; it need not be aligned. Plain numbers, valid whatever they are.
        let info = unsafe { found.cast::<WTSINFOEXW>().read_unaligned() };
        if info.Level == 1 {
            // SAFETY: level 1 is the one part of the union that there is.
            let level = unsafe { info.Data.WTSInfoExLevel1 };
            answer = Some((level.SessionState, level.SessionFlags));
        }
    }
    // SAFETY: it came from the call above and is not used after this.
    unsafe { WTSFreeMemory(found.cast()) };
    answer
}

/// Whether notifications are shown now, in Windows' number.
pub(in super::super) fn notification_state() -> Option<i32> {
    let mut state = 0;
    // SAFETY: the out-pointer is ours.
    (unsafe { SHQueryUserNotificationState(&raw mut state) } >= 0).then_some(state)
}

// ---- the console ----------------------------------------------------------------------------------------------------

/// The settings of a console; `None` where the handle is none.
pub(in super::super) fn console_mode(handle: &impl AsRawHandle) -> Option<u32> {
    let mut mode = 0;
    // SAFETY: the handle is open while it is borrowed; the out-pointer is ours.
    (unsafe { GetConsoleMode(handle.as_raw_handle(), &raw mut mode) } != 0).then_some(mode)
}

/// Changes the settings of a console.
pub(in super::super) fn set_console_mode(handle: &impl AsRawHandle, mode: u32) -> io::Result<()> {
    // SAFETY: the handle is open while it is borrowed.
    if unsafe { SetConsoleMode(handle.as_raw_handle(), mode) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// The code page that programs write to the console in.
pub(in super::super) fn output_code_page() -> u32 {
    // SAFETY: takes no pointers.
    unsafe { GetConsoleOutputCP() }
}

/// Throws away what was typed ahead.
pub(in super::super) fn flush_keys(keyboard: &impl AsRawHandle) {
    // SAFETY: the handle is open while it is borrowed.
    unsafe { FlushConsoleInputBuffer(keyboard.as_raw_handle()) };
}

/// The UTF-16 unit that was typed within this time (ms), and how often; `None` where there was none.
pub(in super::super) fn read_key(
    keyboard: &impl AsRawHandle,
    wait_ms: u32,
) -> io::Result<Option<(u16, u16)>> {
    let handle = keyboard.as_raw_handle();
    // SAFETY: the handle is open while it is borrowed.
    if unsafe { WaitForSingleObject(handle, wait_ms) } != WAIT_OBJECT_0 {
        return Ok(None);
    }
    let mut event = INPUT_RECORD::default();
    let mut read = 0;
    // SAFETY: room for one event, which is what is asked for.
    if unsafe { ReadConsoleInputW(handle, &raw mut event, 1, &raw mut read) } == 0 {
        return Err(io::Error::last_os_error());
    }
    if read != 1 || u32::from(event.EventType) != KEY_EVENT {
        return Ok(None);
    }
    // SAFETY: the type says that it is a key, and a key's text is a UTF-16 unit in the functions that end in W.
    let (key, unit) = unsafe { (event.Event.KeyEvent, event.Event.KeyEvent.uChar.UnicodeChar) };
    // A character typed by its number on the keypad comes when Alt is let go.
    let typed = key.bKeyDown != 0 || key.wVirtualKeyCode == VK_MENU;
    Ok((typed && unit != 0).then(|| (unit, key.wRepeatCount.max(1))))
}
