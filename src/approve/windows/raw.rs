//! The calls to Windows that show a task dialog. The only unsafe code of the prompt beside `session.rs`.
//!
//! Owns: strings, windows and the callback as Windows wants them. Refuses to know: cards, and what a press means; that
//! is the business of the [`Watcher`].
#![expect(
    unsafe_code,
    reason = "TaskDialogIndirect is a C interface; DESIGN §6 allows it here"
)]

use crate::approve::dialog::press::Button;
use std::cell::Cell;
use std::ptr;
use windows_sys::Win32::Foundation::{HWND, LPARAM, RECT, S_FALSE, S_OK, WPARAM};
use windows_sys::Win32::System::Diagnostics::Debug::MessageBeep;
use windows_sys::Win32::UI::Controls::{
    TASKDIALOG_BUTTON, TASKDIALOGCONFIG, TASKDIALOGCONFIG_0, TD_INFORMATION_ICON, TD_WARNING_ICON,
    TDE_CONTENT, TDE_FOOTER, TDF_ALLOW_DIALOG_CANCELLATION, TDF_CALLBACK_TIMER, TDF_NO_SET_FOREGROUND,
    TDF_SIZE_TO_CONTENT, TDM_CLICK_BUTTON, TDM_SET_ELEMENT_TEXT, TDM_UPDATE_ELEMENT_TEXT, TDN_BUTTON_CLICKED,
    TDN_CREATED, TDN_TIMER, TaskDialogIndirect,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    EnumChildWindows, FLASHW_TIMERNOFG, FLASHW_TRAY, FLASHWINFO, FlashWindowEx, GetClassNameW,
    GetForegroundWindow, GetWindowRect, GetWindowTextW, HWND_TOPMOST, MB_ICONINFORMATION, MB_ICONWARNING,
    PostMessageW, SPI_GETWORKAREA, SWP_NOACTIVATE, SWP_NOMOVE, SWP_NOSIZE, SendMessageW, SetForegroundWindow,
    SetWindowPos, SystemParametersInfoW, WM_NEXTDLGCTL,
};
use windows_sys::core::{BOOL, HRESULT};

/// Room between a dialog in the corner and the edges of the screen, in pixels.
const MARGIN: i32 = 16;

/// What a dialog shows at first.
#[derive(Debug)]
pub(super) struct Spec {
    /// The large first line.
    pub(super) headline: String,
    /// The lines below it.
    pub(super) facts: String,
    /// The line at the bottom; none where empty.
    pub(super) footer: String,
    /// The buttons, from left to right; the first has the focus.
    pub(super) buttons: Vec<Button>,
    /// A warning sign and its sound, instead of the calm ones.
    pub(super) alarming: bool,
    /// In the lower right corner and without a sound, instead of the middle.
    pub(super) aside: bool,
}

/// A part of the text that can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Facts,
    Footer,
}

/// Hears what happens to a dialog, on the dialog's own thread. While one of these runs another may begin: Windows calls
/// back from within its own calls.
pub(super) trait Watcher {
    /// It is on the screen.
    fn shown(&self, window: Window);
    /// A button was pressed; whether the dialog closes.
    fn pressed(&self, window: Window, id: i32) -> bool;
    /// Five times a second.
    fn tick(&self, window: Window);
}

/// A dialog's window. It may be gone by the time it is used: Windows then does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window(isize);

impl Window {
    /// Presses a button, soon. From any thread.
    pub(super) fn press(self, id: i32) {
        let id = usize::try_from(id).unwrap_or_default();
        // SAFETY: plain numbers go to a window handle, which may be stale: the call fails then.
        unsafe { PostMessageW(self.handle(), message(TDM_CLICK_BUTTON), id, 0) };
    }

    /// Replaces a part of the text; `anew` lays the dialog out again, for text that needs another room. On the dialog's
    /// thread only, or it waits for that thread.
    pub(super) fn write(self, part: Part, text: &str, anew: bool) {
        let (kind, text) = (
            if anew {
                TDM_SET_ELEMENT_TEXT
            } else {
                TDM_UPDATE_ELEMENT_TEXT
            },
            wide(text),
        );
        let part = match part {
            Part::Facts => TDE_CONTENT,
            Part::Footer => TDE_FOOTER,
        };
        // SAFETY: the text ends in a zero, and lives until the call returns; the dialog copies it.
        unsafe {
            SendMessageW(
                self.handle(),
                message(kind),
                usize::try_from(part).unwrap_or_default(),
                text.as_ptr() as LPARAM,
            )
        };
    }

    /// The words that the buttons in the window have now.
    pub(super) fn captions(self) -> Vec<String> {
        self.buttons().into_iter().map(|(_, caption)| caption).collect()
    }

    /// Gives the focus within the window to the button with that place among [`Self::captions`].
    pub(super) fn focus(self, place: usize) {
        if let Some((button, _)) = self.buttons().get(place) {
            // SAFETY: plain numbers go to a window handle, which may be stale: the call fails then.
            unsafe { PostMessageW(self.handle(), WM_NEXTDLGCTL, button.0.cast_unsigned(), 1) };
        }
    }

    fn buttons(self) -> Vec<(Self, String)> {
        let mut found: Vec<(Self, String)> = Vec::new();
        // SAFETY: `found` outlives the call, and only `collect` gets its address, on this thread.
        unsafe {
            EnumChildWindows(
                self.handle(),
                Some(collect),
                (&raw mut found).expose_provenance().cast_signed(),
            )
        };
        found
    }

    fn handle(self) -> HWND {
        ptr::with_exposed_provenance_mut(self.0.cast_unsigned())
    }

    /// On top of the other windows, where the person goes on typing into the one that has the keyboard.
    fn put_up(self, aside: bool) {
        let (mut x, mut y, mut flags) = (0, 0, SWP_NOACTIVATE | SWP_NOSIZE | SWP_NOMOVE);
        if aside && let Some(corner) = self.corner() {
            ((x, y), flags) = (corner, SWP_NOACTIVATE | SWP_NOSIZE);
        }
        let flash = FLASHWINFO {
            cbSize: size_of_u32::<FLASHWINFO>(),
            hwnd: self.handle(),
            dwFlags: FLASHW_TRAY | FLASHW_TIMERNOFG,
            uCount: 3,
            dwTimeout: 0,
        };
        // SAFETY: our own window, plain numbers, and a struct that lives until the call returns.
        unsafe {
            SetWindowPos(self.handle(), HWND_TOPMOST, x, y, 0, 0, flags);
            FlashWindowEx(&raw const flash);
        }
    }

    /// Where its upper left corner has to be so that it stands in the lower right one of the screen.
    fn corner(self) -> Option<(i32, i32)> {
        let (mut area, mut window) = (RECT::default(), RECT::default());
        // SAFETY: both structs are of the size that these calls write.
        let known = unsafe {
            SystemParametersInfoW(SPI_GETWORKAREA, 0, (&raw mut area).cast(), 0) != 0
                && GetWindowRect(self.handle(), &raw mut window) != 0
        };
        let width = window.right.saturating_sub(window.left);
        let height = window.bottom.saturating_sub(window.top);
        known.then(|| {
            (
                area.right.saturating_sub(width).saturating_sub(MARGIN),
                area.bottom.saturating_sub(height).saturating_sub(MARGIN),
            )
        })
    }
}

/// What the callback works on.
struct Frame<'a> {
    watcher: &'a dyn Watcher,
    aside: bool,
    alarming: bool,
    /// The window that had the keyboard before us, until it has it again.
    before: Cell<HWND>,
}

/// Shows a dialog and returns when it is gone. Needs a thread of its own.
///
/// # Errors
/// A sentence: Windows shows none.
pub(super) fn run(spec: &Spec, watcher: &dyn Watcher) -> Result<(), String> {
    let title = wide("Countersign");
    let (headline, facts, footer) = (wide(&spec.headline), wide(&spec.facts), wide(&spec.footer));
    let labels: Vec<(i32, Vec<u16>)> = spec
        .buttons
        .iter()
        // One ampersand would underline the letter behind it.
        .map(|button| (button.id, wide(&button.label.replace('&', "&&"))))
        .collect();
    let buttons: Vec<TASKDIALOG_BUTTON> = labels
        .iter()
        .map(|(id, label)| TASKDIALOG_BUTTON {
            nButtonID: *id,
            pszButtonText: label.as_ptr(),
        })
        .collect();
    let frame = Frame {
        watcher,
        aside: spec.aside,
        alarming: spec.alarming,
        // SAFETY: takes nothing.
        before: Cell::new(unsafe { GetForegroundWindow() }),
    };
    let config = TASKDIALOGCONFIG {
        cbSize: size_of_u32::<TASKDIALOGCONFIG>(),
        dwFlags: TDF_ALLOW_DIALOG_CANCELLATION
            | TDF_CALLBACK_TIMER
            | TDF_NO_SET_FOREGROUND
            | TDF_SIZE_TO_CONTENT,
        pszWindowTitle: title.as_ptr(),
        Anonymous1: TASKDIALOGCONFIG_0 {
            pszMainIcon: if spec.alarming {
                TD_WARNING_ICON
            } else {
                TD_INFORMATION_ICON
            },
        },
        pszMainInstruction: headline.as_ptr(),
        pszContent: facts.as_ptr(),
        cButtons: u32::try_from(buttons.len()).unwrap_or_default(),
        pButtons: buttons.as_ptr(),
        nDefaultButton: spec.buttons.first().map_or(0, |button| button.id),
        pszFooter: if spec.footer.is_empty() {
            ptr::null()
        } else {
            footer.as_ptr()
        },
        pfCallback: Some(called),
        lpCallbackData: (&raw const frame).expose_provenance().cast_signed(),
        ..TASKDIALOGCONFIG::default()
    };
    // SAFETY: everything that `config` points to lives until the call returns, and the dialog is gone by then.
    let result = unsafe {
        TaskDialogIndirect(
            &raw const config,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    if result == S_OK {
        Ok(())
    } else {
        Err(format!(
            "Windows showed no dialog (0x{:08x})",
            result.cast_unsigned()
        ))
    }
}

/// # Safety
/// Called by the dialog that [`run`] shows, with the address of its `frame`.
unsafe extern "system" fn called(hwnd: HWND, what: u32, id: WPARAM, _: LPARAM, data: isize) -> HRESULT {
    // SAFETY: `run` still waits for this dialog, so its `frame` lives; nobody writes to it but through cells.
    let frame = unsafe { &*ptr::with_exposed_provenance::<Frame<'_>>(data.cast_unsigned()) };
    let window = Window(hwnd.expose_provenance().cast_signed());
    match what.cast_signed() {
        TDN_CREATED => {
            window.put_up(frame.aside);
            if !frame.aside {
                let sound = if frame.alarming {
                    MB_ICONWARNING
                } else {
                    MB_ICONINFORMATION
                };
                // SAFETY: a plain number.
                unsafe { MessageBeep(sound) };
            }
            frame.watcher.shown(window);
        }
        TDN_TIMER => {
            give_back(hwnd, &frame.before);
            frame.watcher.tick(window);
        }
        TDN_BUTTON_CLICKED => {
            let id = i32::try_from(id).unwrap_or(-1);
            return if frame.watcher.pressed(window, id) {
                S_OK
            } else {
                S_FALSE
            };
        }
        _ => {}
    }
    S_OK
}

/// Gives the keyboard back to the window that had it, once, where the dialog got it by coming up.
fn give_back(ours: HWND, before: &Cell<HWND>) {
    let before = before.replace(ptr::null_mut());
    // SAFETY: handles only, which may be stale: the call fails then.
    unsafe {
        if !before.is_null() && before != ours && GetForegroundWindow() == ours {
            SetForegroundWindow(before);
        }
    }
}

/// # Safety
/// Called by the `EnumChildWindows` of [`Window::buttons`], with the address of its list.
unsafe extern "system" fn collect(hwnd: HWND, list: LPARAM) -> BOOL {
    // SAFETY: `buttons` waits for this with the list in its frame, and nobody else has it.
    let found =
        unsafe { &mut *ptr::with_exposed_provenance_mut::<Vec<(Window, String)>>(list.cast_unsigned()) };
    let (mut class, mut text) = ([0_u16; 16], [0_u16; 256]);
    // SAFETY: both calls write at most as many units as they are told, which is what the arrays hold.
    let (class_len, text_len) = unsafe {
        (
            GetClassNameW(hwnd, class.as_mut_ptr(), 16),
            GetWindowTextW(hwnd, text.as_mut_ptr(), 256),
        )
    };
    if narrow(&class, class_len).eq_ignore_ascii_case("button") {
        let window = Window(hwnd.expose_provenance().cast_signed());
        found.push((window, narrow(&text, text_len).replace("&&", "&")));
    }
    1
}

fn narrow(text: &[u16], len: i32) -> String {
    let len = usize::try_from(len).unwrap_or_default();
    String::from_utf16_lossy(text.get(..len).unwrap_or_default())
}

/// As Windows wants it: UTF-16 with a zero at the end, and none before.
pub(super) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().filter(|unit| *unit != 0).chain([0]).collect()
}

fn message(number: i32) -> u32 {
    number.cast_unsigned()
}

fn size_of_u32<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or_default()
}
