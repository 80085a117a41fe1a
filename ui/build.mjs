// Builds the console into dist/, with names that change with their content and a .gz beside each file.
//   node build.mjs            for the program
//   node build.mjs --serve    for development: rebuilt as files change, the API taken from API=http://127.0.0.1:8080
//   node build.mjs --tests    the tests of the pure parts, for node's own runner
import * as esbuild from "esbuild";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import zlib from "node:zlib";

const here = path.dirname(new URL(import.meta.url).pathname);
process.chdir(here);
const serving = process.argv.includes("--serve");
/** cargo looks at dist/; development stays beside it. */
const dist = serving ? `.dev/${process.env.PORT ?? 8081}` : "dist";

const options = {
  bundle: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
};

if (process.argv.includes("--tests")) {
  fs.rmSync(".tests", { recursive: true, force: true });
  const entryPoints = fs.readdirSync("tests").filter((name) => name.endsWith(".test.ts")).map((name) => `tests/${name}`);
  await esbuild.build({ ...options, entryPoints, outdir: ".tests", outExtension: { ".js": ".mjs" }, platform: "node", splitting: false });
  process.exit(0);
}

/** Writes what is not there yet. Files as they are stay untouched, as cargo builds again whenever one is newer. */
function write(files) {
  const wanted = new Map(files);
  if (!serving) for (const [name, content] of files) wanted.set(`${name}.gz`, zlib.gzipSync(content, { level: 9 }));
  for (const name of all(dist)) if (!wanted.has(name)) fs.rmSync(path.join(dist, name));
  for (const [name, content] of wanted) {
    const file = path.join(dist, name);
    if (fs.existsSync(file) && fs.readFileSync(file).equals(content)) continue;
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
  }
}

/** The files below a folder, but for those that begin with a dot. */
function all(folder, prefix = "") {
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder, { withFileTypes: true }).filter((entry) => !entry.name.startsWith(".")).flatMap((entry) =>
    entry.isDirectory() ? all(path.join(folder, entry.name), `${prefix}${entry.name}/`) : [`${prefix}${entry.name}`]);
}

async function build() {
  const result = await esbuild.build({
    ...options,
    entryPoints: ["src/main.tsx", "src/style.css"],
    outdir: `${dist}/static`,
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    splitting: true,
    minify: !serving,
    sourcemap: serving ? "inline" : false,
    metafile: true,
    write: false,
  });
  let html = fs.readFileSync("src/index.html", "utf8");
  for (const [name, output] of Object.entries(result.metafile.outputs)) {
    if (output.entryPoint) html = html.replace(`/${output.entryPoint}`, `/ui/${path.relative(dist, name)}`);
  }
  const files = new Map(result.outputFiles.map((file) => [path.relative(dist, file.path), Buffer.from(file.contents)]));
  files.set("index.html", Buffer.from(html));
  files.set("icon.svg", fs.readFileSync("src/icon.svg"));
  write(files);
  return result.metafile;
}

/** What a browser loads for an entry: its file and all that it imports at once, gzip. */
function loaded(metafile, name, seen = new Set()) {
  if (seen.has(name)) return 0;
  seen.add(name);
  const own = fs.statSync(`${name}.gz`).size;
  const more = metafile.outputs[name].imports.filter((one) => one.kind === "import-statement");
  return more.reduce((sum, one) => sum + loaded(metafile, one.path, seen), own);
}

/** The budgets: 60 kB for the shell with Fleet and Alerts, 28 kB for the charts. */
function sizes(metafile) {
  const of = (pattern) => Object.keys(metafile.outputs).filter((name) => pattern.test(name));
  const shell = of(/\/(main|style)-/).reduce((sum, name) => sum + loaded(metafile, name), 0);
  const chart = of(/\/draw-/).reduce((sum, name) => sum + fs.statSync(`${name}.gz`).size, 0);
  return { shell, chart };
}

if (!serving) {
  const metafile = await build();
  const total = all(dist).filter((name) => name.endsWith(".gz")).reduce((sum, name) => sum + fs.statSync(path.join(dist, name)).size, 0);
  const { shell, chart } = sizes(metafile);
  console.log(`console: ${(total / 1000).toFixed(1)} kB gzip in all; shell ${(shell / 1000).toFixed(1)} kB, charts ${(chart / 1000).toFixed(1)} kB`);
  if (shell > 60_000 || chart > 28_000) {
    console.error("the console is larger than its budget: shell 60 kB, charts 28 kB (gzip)");
    process.exit(1);
  }
  // What make compares the sources with.
  fs.writeFileSync(".built", "");
} else {
  const api = new URL(process.env.API ?? "http://127.0.0.1:8080");
  const port = Number(process.env.PORT ?? 8081);
  await build();
  let timer;
  fs.watch("src", { recursive: true }, () => {
    clearTimeout(timer);
    timer = setTimeout(() => build().then(() => console.log("rebuilt"), (error) => console.error(error.message)), 100);
  });
  const types = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
  const policy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  http.createServer((request, response) => {
    const url = new URL(request.url, "http://x");
    if (url.pathname.startsWith("/ui/")) {
      const asked = path.join(dist, path.normalize(url.pathname.slice(4)));
      const file = fs.existsSync(asked) && fs.statSync(asked).isFile() ? asked : path.join(dist, "index.html");
      response.writeHead(200, { "content-type": types[file.split(".").pop()] ?? "text/plain", "cache-control": "no-store", "content-security-policy": policy });
      response.end(fs.readFileSync(file));
      return;
    }
    const onward = http.request({ host: api.hostname, port: api.port, path: request.url, method: request.method, headers: { ...request.headers, host: api.host } }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  }).listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${port}/ui/ with the API of ${api.origin}`));
}
