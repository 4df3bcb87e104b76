// Sound and notification when the run stops; off until somebody asks for them.

const NOTES_HZ = [660, 495, 660, 495, 392];

export class Alarm {
  /**
   * @param {HTMLButtonElement} button
   * @param {object} prefs
   * @param {(words: string) => void} said
   */
  constructor(button, prefs, said) {
    Object.assign(this, { button, prefs, said, audio: null, rung: 0 });
    button.addEventListener("click", () => this.toggle());
    // a browser plays nothing before the first touch of the page, also where the wish is remembered
    const wake = () => this.prefs.alarm && this.#wake();
    for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, wake, { passive: true });
    this.#show();
  }

  async toggle() {
    this.prefs.alarm = !this.prefs.alarm;
    this.#show();
    if (!this.prefs.alarm) return this.said("You will not be called when the run stops.");
    this.#wake();
    this.#chime(NOTES_HZ.slice(0, 2));
    const allowed = await notificationsAllowed();
    this.said(
      allowed
        ? "You will hear a sound and see a notification when the run stops. Keep this tab open."
        : "You will hear a sound when the run stops. Notifications are not allowed in this browser. Keep this tab open.",
    );
  }

  ring(title, text) {
    if (!this.prefs.alarm) return;
    this.rung += 1;
    this.#wake();
    this.#chime(NOTES_HZ);
    try {
      if ("Notification" in window && Notification.permission === "granted") {
        new Notification(title, { body: text, tag: "streamer-stop", requireInteraction: true });
      }
    } catch {
      // phones allow notifications from service workers only; the sound has to do
    }
  }

  #wake() {
    try {
      this.audio ??= new AudioContext();
      if (this.audio.state === "suspended") this.audio.resume().catch(() => {});
    } catch {
      this.audio = null; // a machine without sound
    }
  }

  #chime(notes) {
    if (!this.audio) return;
    notes.forEach((hz, i) => {
      const start = this.audio.currentTime + 0.05 + i * 0.24;
      const [tone, loudness] = [this.audio.createOscillator(), this.audio.createGain()];
      tone.type = "triangle";
      tone.frequency.value = hz;
      loudness.gain.setValueAtTime(0.0001, start);
      loudness.gain.exponentialRampToValueAtTime(0.25, start + 0.02);
      loudness.gain.exponentialRampToValueAtTime(0.0001, start + 0.22);
      tone.connect(loudness).connect(this.audio.destination);
      tone.start(start);
      tone.stop(start + 0.24);
    });
  }

  #show() {
    this.button.setAttribute("aria-pressed", String(this.prefs.alarm));
    this.button.querySelector("use").setAttribute("href", this.prefs.alarm ? "#i-bell" : "#i-bell-off");
  }
}

async function notificationsAllowed() {
  if (!("Notification" in window)) return false;
  if (Notification.permission === "default") await Notification.requestPermission().catch(() => {});
  return Notification.permission === "granted";
}
