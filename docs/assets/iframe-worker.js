// Search from disk: browsers start no worker from file://, so a hidden frame plays one.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      this.waiting = []
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      document.body.appendChild(this.frame)
      const inside = this.frame.contentWindow
      const tell = data => this.dispatchEvent(Object.assign(new MessageEvent("message", { data })))
      inside.document.open()
      inside.document.write("<!doctype html><html><body></body></html>")
      inside.document.close()
      inside.postMessage = tell
      inside.importScripts = (...urls) => Promise.all(urls.map(u => this.load(new URL(u, url))))
      this.load(url).then(() => {
        this.ready = true
        this.waiting.forEach(data => this.deliver(data))
      })
    }
    load(url) {
      const script = this.frame.contentDocument.createElement("script")
      script.src = url
      return new Promise(done => {
        script.onload = done
        this.frame.contentDocument.body.appendChild(script)
      })
    }
    deliver(data) {
      this.frame.contentWindow.dispatchEvent(
        new this.frame.contentWindow.MessageEvent("message", { data }))
    }
    postMessage(data) {
      this.ready ? this.deliver(data) : this.waiting.push(data)
    }
    terminate() { this.frame.remove() }
  }
}
