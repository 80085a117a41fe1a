// Models: which version is in force, how good each is on lives it has not seen, and how to put another in force.

import { useState } from "preact/hooks";
import { act, ApiProblem, enc, get } from "../data/api";
import { contact } from "../data/live";
import { useAsk } from "../data/poll";
import { count, inDays, number, percent } from "../data/format";
import type { Model, Prediction, Version } from "../data/types";
import { Dialog } from "../parts/dialog";
import { Empty, Panel, Refusal } from "../parts/panel";
import { say } from "../parts/toast";
import { When } from "../parts/when";
import { actor } from "../shell/person";
import { link } from "../shell/router";
import { may } from "../shell/settings";
import { RunNow } from "./jobs";

export default function ModelsPage() {
  const models = useAsk("models", (signal) => get<{ models: Model[] }>("/v1/models", { signal }), 5_000);
  return (
    <>
      <div class="head"><h1>Models</h1></div>
      {models.problem && <Panel problem={models.problem} again={models.again} there={models.data !== null} />}
      {models.data?.models.length === 0 && <Panel><Empty title="No model is defined."><p>A model is a file in the folder <code>models</code>. Training needs lives that have ended: report failures and repairs on the machines' pages.</p></Empty></Panel>}
      {models.data?.models.map((model) => <ModelPanel key={model.model} model={model} loading={models.loading} />)}
      {models.data === null && !models.problem && <Panel there={false} />}
    </>
  );
}

function length(hours: number | null, unit: string): string {
  if (hours === null) return "–";
  const shown = inDays(hours, unit);
  return `${number(shown.value)} ${shown.unit}`;
}

function ModelPanel({ model, loading }: { model: Model; loading: boolean }) {
  const versions = useAsk(`versions ${model.model} ${model.version?.version ?? ""}`, (signal) => get<{ versions: Version[] }>(`/v1/models/${enc(model.model)}/versions`, { signal }), 10_000);
  const said = useAsk(`said ${model.model}`, (signal) => get<{ predictions: Prediction[] }>("/v1/predictions", { signal }), 10_000);
  const [promoting, promote] = useState<Version | null>(null);
  const force = model.version;
  const job = (kind: string) => ({ name: `${kind}:${model.model}`, running: null, queued: 0 });
  const mine = (said.data?.predictions ?? []).filter((one) => one.model === model.model);
  return (
    <>
      <Panel title={model.model} loading={loading} problem={versions.problem} again={versions.again} there
        tools={<>
          <RunNow job={job("train")} path={`/v1/models/${enc(model.model)}/train`} name="Train" />
          <RunNow job={job("predict")} path={`/v1/models/${enc(model.model)}/predict`} name="Predict" />
          <a href={link("jobs", `train:${model.model}`)}>runs</a>
        </>}>
        {model.problem && <p class="refusal"><b>{model.problem}</b></p>}
        <p class="pad">
          {force ? <>Version <code>{force.version}</code> is in force, from {force.summary.lives} lives.</> : <b>No version is in force: it has not been trained.</b>}
          {" "}Predicts in {model.unit}, up to {length(model.cap, model.unit)}, for <code>{model.assets}</code>, from {model.signals.join(", ")}.
          {force && !force.usable && <b class="doubt-text"> The definition has changed since: this version cannot be used any more.</b>}
        </p>
        {(force?.summary.warnings ?? []).map((warning) => <p key={warning} class="pad doubt-text">{warning}</p>)}
        {versions.data && versions.data.versions.length > 0 && (
          <div class="scroll">
            <table class="cards">
              <thead><tr><th>version</th><th>trained</th><th class="number">lives</th><th class="number">typical error</th><th class="number">RMSE</th><th class="number">true value within its interval</th><th class="number">interval's width</th><th class="number">too late</th><th>chosen</th><th /></tr></thead>
              <tbody>
                {versions.data.versions.map((version) => (
                  <tr key={version.version} class={version.current ? "chosen" : ""}>
                    <td><code>{version.version}</code>{version.current && <b> in force</b>}{!version.usable && <div class="second">of another definition</div>}</td>
                    <td class="nowrap" data-label="trained"><When at={version.summary.trained} /></td>
                    <td class="number" data-label="lives">{count(version.summary.lives)}</td>
                    <td class="number" data-label="typical error">± {length(version.summary.metrics.mae, model.unit)}</td>
                    <td class="number" data-label="RMSE">{length(version.summary.metrics.rmse, model.unit)}</td>
                    <td class="number" data-label="held">{percent(version.summary.coverage)}</td>
                    <td class="number" data-label="width">{length(version.summary.width, model.unit)}</td>
                    <td class="number" data-label="too late">{percent(version.summary.metrics.late_share)}</td>
                    <td data-label="chosen">{version.summary.chosen.algorithm}</td>
                    <td>{!version.current && <button type="button" disabled={!version.usable || contact.value !== "live" || !may("engineer")} onClick={() => promote(version)}>Put in force …</button>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        <p class="pad second">Errors are those on lives that the version had not seen. “Too late”: the machine failed before the predicted time.</p>
        {force && <Trials version={force} unit={model.unit} />}
      </Panel>
      {promoting && force && <Promote model={model} to={promoting} from={force} predictions={mine.length} close={() => { promote(null); versions.again(); }} />}
      {promoting && !force && <Promote model={model} to={promoting} from={null} predictions={mine.length} close={() => { promote(null); versions.again(); }} />}
    </>
  );
}

function Trials({ version, unit }: { version: Version; unit: string }) {
  const best = new Map<string, (typeof version.summary.trials)[number]>();
  for (const trial of version.summary.trials) {
    const old = best.get(trial.candidate.algorithm);
    if (!old || trial.metrics.rmse < old.metrics.rmse) best.set(trial.candidate.algorithm, trial);
  }
  const sorted = [...best.values()].sort((a, b) => a.metrics.rmse - b.metrics.rmse);
  const most = Math.max(...sorted.map((trial) => trial.metrics.rmse), 1e-9);
  return (
    <details class="pad">
      <summary>What was tried for it: the best of each algorithm</summary>
      {sorted.map((trial) => (
        <div key={trial.candidate.algorithm} class="weight">
          <span>{trial.candidate.algorithm}</span><span class="number">{length(trial.metrics.rmse, unit)}</span>
          <svg viewBox="0 0 100 8" preserveAspectRatio="none" height="8" width="100%" aria-hidden="true"><rect width={(100 * trial.metrics.rmse) / most} height="8" fill="var(--prediction)" /></svg>
        </div>
      ))}
      <p class="second">RMSE on unseen lives; shorter is better.</p>
    </details>
  );
}

function Promote({ model, to, from, predictions, close }: { model: Model; to: Version; from: Version | null; predictions: number; close: () => void }) {
  const [reason, setReason] = useState("");
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    const who = actor();
    if (!who) return;
    try {
      await act(`/v1/models/${enc(model.model)}/promote`, { ...who, version: to.version, reason: reason || undefined });
      say(`${model.model}: ${to.version} is in force`);
      close();
    } catch (error) {
      if (error instanceof ApiProblem) setProblem(error);
    }
  };
  const row = (name: string, of: (version: Version) => string) => <tr key={name}><td>{name}</td><td class="number">{from ? of(from) : "–"}</td><td class="number">{of(to)}</td></tr>;
  return (
    <Dialog title={`Put ${to.version} in force?`} close={close}>
      <form class="dialog" onSubmit={(event) => void submit(event)}>
        <p>The {predictions} predictions of {model.model} are made with it from its next run on. It is on record, with your name; putting the one before in force again takes it back.</p>
        <table>
          <thead><tr><th /><th class="number">in force now</th><th class="number">this one</th></tr></thead>
          <tbody>
            {row("trained from lives", (version) => count(version.summary.lives))}
            {row("typical error", (version) => `± ${length(version.summary.metrics.mae, model.unit)}`)}
            {row("true value within its interval", (version) => percent(version.summary.coverage))}
            {row("interval's width", (version) => length(version.summary.width, model.unit))}
            {row("too late", (version) => percent(version.summary.metrics.late_share))}
          </tbody>
        </table>
        <label class="field">Why<textarea rows={2} maxLength={1000} value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label>
        {problem && <Refusal problem={problem} />}
        <div class="row"><button class="main" type="submit">Put in force</button><button type="button" onClick={close}>Cancel</button></div>
      </form>
    </Dialog>
  );
}
