// A line between a page and its service that breaks on demand: a real proxy of bytes on loopback.
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

export class Line {
  /** Nothing comes through from the service any more, and nobody is told. */
  isHeld = false;
  /** Whoever connects is hung up on. */
  isDown = false;
  /** Streams do not come through, as behind some proxies; everything else does. */
  hasNoStreams = false;
  /** Answers to what begins like this are lost on their way, so often, after the service has done what was asked. */
  lost = { to: "", times: 0 };
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((page) => this.carry(page));

  constructor(private readonly service: URL) {}

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    const { port } = this.server.address() as AddressInfo;
    return `http://127.0.0.1:${port}${this.service.pathname}`;
  }

  /** Break every connection there is. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  close(): void {
    this.server.close();
    this.cut();
  }

  private carry(page: Socket): void {
    if (this.isDown) return void page.destroy();
    const service = connect(Number(this.service.port), this.service.hostname);
    const end = () => {
      for (const socket of [page, service]) {
        this.sockets.delete(socket);
        socket.destroy();
      }
    };
    for (const socket of [page, service]) {
      this.sockets.add(socket);
      socket.on("error", end).on("close", end);
    }
    let isLost = false;
    page.on("data", (bytes) => {
      if (this.lost.times > 0 && bytes.toString().startsWith(this.lost.to)) {
        this.lost.times--;
        isLost = true;
      }
      if (this.hasNoStreams && bytes.includes("/events HTTP")) end();
      else service.write(bytes);
    });
    service.on("data", (bytes) => {
      if (isLost) end();
      else if (!this.isHeld) page.write(bytes);
    });
  }
}
