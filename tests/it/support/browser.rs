//! Chromium without a window, driven over its DevTools protocol: through two pipes, so
//! that there is no port to wait for and no socket to speak.
//!
//! Nothing waits for a time: [`Page::wait`] waits for a condition, which the page itself
//! looks at before each frame. Only a browser that hangs is killed after a while.

use super::{TestEnv, skip};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One at a time: each takes all there is.
static ONE: Mutex<()> = Mutex::new(());

/// Longer than any test takes on the slowest machine.
const HANGS: Duration = Duration::from_secs(300);

/// A browser with one page open.
pub(crate) struct Page {
    child: Arc<Mutex<Child>>,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    next: u64,
    session: Option<String>,
    /// What the page threw, or the browser refused it.
    pub(crate) complaints: Vec<String>,
    _profile: TestEnv,
    _one: MutexGuard<'static, ()>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The name of the browser here; `None`, and the skip printed, without one.
#[track_caller]
fn program() -> Option<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |name: &&str| std::env::split_paths(&path).any(|dir| dir.join(name).is_file());
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|n| there(n));
    if found.is_none() {
        skip("chromium is not installed");
    }
    found
}

impl Page {
    /// Opens a file in a window of 1400 × 900, light; `None`, and the skip printed,
    /// without a browser.
    #[track_caller]
    pub(crate) fn open(file: &Path) -> Option<Self> {
        let mut page = Self::start(program()?);
        page.visit(&format!("file://{}", file.display()));
        Some(page)
    }

    fn start(program: &str) -> Self {
        let one = lock(&ONE);
        let profile = TestEnv::new();
        let script = format!(
            "exec {program} --headless=new --no-sandbox --disable-gpu --no-first-run \
             --disable-extensions --disable-background-networking --disable-dev-shm-usage \
             --remote-debugging-pipe --user-data-dir=\"$HOME/profile\" about:blank \
             3<&0 4>&1 </dev/null >/dev/null 2>&1"
        );
        let mut command = Command::new("sh");
        command.args(["-c", &script]).env("HOME", profile.join("home"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        let child = Arc::new(Mutex::new(child));
        let hanging = Arc::downgrade(&child);
        std::thread::spawn(move || {
            std::thread::sleep(HANGS);
            if let Some(child) = hanging.upgrade() {
                let _ = lock(&child).kill();
            }
        });
        let mut page = Self {
            child,
            to,
            from,
            next: 0,
            session: None,
            complaints: Vec::new(),
            _profile: profile,
            _one: one,
        };
        let target = page.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = page.call("Target.attachToTarget", &attach);
        page.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            page.call(&format!("{domain}.enable"), &json!({}));
        }
        page.window(1400, 900, false);
        page
    }

    /// Asks the browser for something, and waits for its answer.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("the browser is there");
        loop {
            let mut answer = Vec::new();
            self.from.read_until(0, &mut answer).unwrap();
            assert_eq!(answer.pop(), Some(0), "the browser ended, or was killed as it hung");
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            if answer["id"] == self.next {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            let method = answer["method"].as_str();
            if let Some("Runtime.exceptionThrown" | "Log.entryAdded") = method {
                self.complaints.push(answer["params"].to_string());
            }
        }
    }

    /// Goes to an address, until the page there is drawn.
    #[track_caller]
    pub(crate) fn visit(&mut self, url: &str) {
        // From elsewhere, so that the same page with another fragment is loaded anew.
        self.call("Page.navigate", &json!({ "url": "about:blank" }));
        self.call("Page.navigate", &json!({ "url": url }));
        while self.eval("document.documentElement?.dataset.ready ?? ''") == "" {
            let shown = self.complaints.iter().any(|said| said.contains("exceptionDetails"));
            assert!(!shown, "the page does not open: {:?}", self.complaints);
        }
    }

    /// The size of the window, in CSS pixels, and whether the system is dark.
    pub(crate) fn window(&mut self, width: u32, height: u32, dark: bool) {
        let metrics = json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600,
        });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// The value of an expression, as JSON has it.
    #[track_caller]
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let params = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
        });
        let answer = self.call("Runtime.evaluate", &params);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// A text that an expression is.
    #[track_caller]
    pub(crate) fn text(&mut self, expression: &str) -> String {
        let value = self.eval(expression);
        value.as_str().unwrap_or_else(|| panic!("{expression}: {value}")).to_owned()
    }

    /// Waits until a condition holds.
    #[track_caller]
    pub(crate) fn wait(&mut self, condition: &str) {
        self.eval(&format!(
            "new Promise((done) => {{ const look = () => ({condition}) ? done() : \
             requestAnimationFrame(look); look(); }})"
        ));
    }

    /// Presses a key: a character, or such as `Enter`.
    pub(crate) fn press(&mut self, key: &str) {
        let code = match key {
            "Backspace" => 8,
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            "End" => 35,
            "Home" => 36,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            // Other characters have codes of keys, which are not theirs.
            _ => match key.as_bytes()[0] {
                byte if byte.is_ascii_alphanumeric() => u32::from(byte.to_ascii_uppercase()),
                _ => 0,
            },
        };
        let mut down = json!({ "type": "keyDown", "key": key, "windowsVirtualKeyCode": code });
        match key {
            "Enter" => down["text"] = json!("\r"),
            key if key.len() == 1 => down["text"] = json!(key),
            _ => {}
        }
        let up = json!({ "type": "keyUp", "key": key, "windowsVirtualKeyCode": code });
        self.call("Input.dispatchKeyEvent", &down);
        self.call("Input.dispatchKeyEvent", &up);
    }

    /// Types a text where the focus is.
    pub(crate) fn write(&mut self, text: &str) {
        for c in text.chars() {
            self.press(&c.to_string());
        }
    }

    /// Clicks at a place of the window.
    pub(crate) fn click_at(&mut self, x: f64, y: f64) {
        for (kind, button) in
            [("mouseMoved", "none"), ("mousePressed", "left"), ("mouseReleased", "left")]
        {
            let event = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Clicks in the middle of the element that an expression is.
    #[track_caller]
    pub(crate) fn click(&mut self, element: &str) {
        let place = self.eval(&format!(
            "(() => {{ const e = {element}; e.scrollIntoView({{ block: 'nearest' }}); \
             const r = e.getBoundingClientRect(); \
             return [r.x + Math.min(r.width / 2, 40), r.y + r.height / 2]; }})()"
        ));
        let number = |i: usize| place[i].as_f64().unwrap_or_else(|| panic!("{element}: {place}"));
        self.click_at(number(0), number(1));
    }

    /// The heading of the side panel: what is selected.
    #[track_caller]
    pub(crate) fn selected(&mut self) -> String {
        self.text("document.querySelector('#panel h2').textContent")
    }

    /// Points at the middle of the map.
    #[track_caller]
    pub(crate) fn point_at_the_map(&mut self) {
        let place = self.eval(
            "(() => { const r = nixCensus.shell.overlay.getBoundingClientRect();
                return [r.x + r.width / 2, r.y + r.height / 2]; })()",
        );
        let moved = json!({ "type": "mouseMoved", "x": place[0], "y": place[1] });
        self.call("Input.dispatchMouseEvent", &moved);
    }

    /// In a window as narrow as a phone's, and dark, each view that a key shows fits.
    #[track_caller]
    pub(crate) fn fits_a_phone(&mut self, keys: &[&str]) {
        self.window(390, 844, true);
        for key in keys {
            self.press(key);
            let wide = self.eval("document.documentElement.scrollWidth").as_u64().unwrap();
            assert!(wide <= 390, "{key}: {wide} pixels wide");
        }
    }

    /// No text has become markup, and nothing of it ran, which would set `run`.
    #[track_caller]
    pub(crate) fn all_text_is_text(&mut self) {
        let markup = "document.querySelectorAll('img, iframe, object, [onerror]').length";
        assert_eq!(self.eval(markup), 0);
        assert_eq!(self.eval("globalThis.run === undefined"), true);
    }

    /// What the window shows, as PNG.
    pub(crate) fn screenshot(&mut self) -> Vec<u8> {
        let shot = self.call("Page.captureScreenshot", &json!({ "format": "png" }));
        data_encoding::BASE64.decode(shot["data"].as_str().unwrap().as_bytes()).unwrap()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        let mut child = lock(&self.child);
        let _ = child.kill();
        let _ = child.wait();
    }
}
