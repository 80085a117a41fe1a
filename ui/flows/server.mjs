// A real server in a folder of its own, with two rules on a made-up plant; can be killed and started again.
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const PIPELINE = `pipeline: flows
signals:
  - { name: temperature, assets: "plant1/**", unit: °C }
  - { name: pressure, assets: "plant1/**", unit: bar }
rules:
  - name: too-hot
    assets: "plant1/**"
    when: "temperature > 90.0"
    tolerance: 1h
    severity: major
    consequence: "Seal damage within the day"
    action: "Reduce speed"
  - name: short-sighted
    assets: "plant1/**"
    when: "pressure > 6.0"
    tolerance: 3s
    severity: minor
`;

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

export class Server {
  static async start() {
    const server = new Server();
    server.program = process.env.FOREWARN ?? path.resolve("../target/debug/forewarn");
    server.folder = fs.mkdtempSync(path.join(os.tmpdir(), "forewarn-flows-"));
    server.port = await freePort();
    fs.mkdirSync(path.join(server.folder, "pipelines"));
    fs.mkdirSync(path.join(server.folder, "models"));
    fs.writeFileSync(path.join(server.folder, "pipelines/flows.yaml"), PIPELINE);
    fs.writeFileSync(path.join(server.folder, "forewarn.yaml"),
      `listen: 127.0.0.1:${server.port}\ndata_dir: ./data\nlake: file://./data/lake\npipelines: ./pipelines\nmodels: ./models\n`);
    await server.run();
    if (process.env.DEV) {
      server.devPort = await freePort();
      server.dev = spawn(process.execPath, ["build.mjs", "--serve"], { env: { ...process.env, API: server.base, PORT: String(server.devPort) }, stdio: "ignore" });
      await eventually(async () => (await fetch(`${server.pages}/ui/`)).ok, "the development server is ready");
    }
    return server;
  }

  get base() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Where browsers look: the program's own console, or with DEV=1 that of the sources as they are. */
  get pages() {
    return this.dev ? `http://127.0.0.1:${this.devPort}` : this.base;
  }

  async run() {
    this.child = spawn(this.program, ["serve", "--config", "forewarn.yaml"], { cwd: this.folder, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    this.child.stderr.on("data", (text) => {
      said += text;
    });
    await eventually(async () => {
      if (this.child.exitCode !== null) throw new Error(`the server ended: ${said}`);
      return (await fetch(`${this.base}/readyz`)).ok;
    }, "the server is ready");
  }

  /** As a power cut would. */
  async kill() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGKILL");
    await ended;
  }

  async end() {
    this.dev?.kill();
    if (this.child.exitCode === null) await this.kill();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  async send(asset, signal, value) {
    const answer = await fetch(`${this.base}/v1/readings`, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ asset, signal, value }),
    });
    if (!answer.ok) throw new Error(await answer.text());
  }

  async alerts(state = "open") {
    return (await (await fetch(`${this.base}/v1/alerts?state=${state}`)).json()).alerts;
  }
}

/** Asks until it holds; the one place that waits. */
export async function eventually(holds, what, withinMs = 60_000) {
  const end = Date.now() + withinMs;
  let last;
  while (Date.now() < end) {
    try {
      if (await holds()) return;
      last = undefined;
    } catch (error) {
      last = error;
      if (/the server ended/.test(String(error))) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not within ${withinMs / 1000} s: ${what}${last ? ` (${last.message})` : ""}`);
}
