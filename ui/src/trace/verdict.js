// What became of a record, in a word: pure, so that it can be tested without a page.

// Returns {state, word}: the state's shape is drawn beside the word (lib/states.js).
export function VerdictOf(job) {
  const refusals = [...job.dead_letters, ...job.stages.flatMap((stage) => stage.refused)];
  const [in_sink, made] = [job.in_sink.rows.length, job.stages.at(-1)?.made.rows.length ?? 0];
  if (in_sink > 0 && job.found_by) {
    return job.differences.length > 0
      ? { state: "catching_up", word: "differs in the sink" }
      : { state: "running", word: "in the sink" };
  }
  if (refusals.some((one) => one.kind === "late")) return { state: "late", word: "late" };
  if (refusals.length > 0) return { state: "failing", word: "refused" };
  if (job.stages.length === 0) return { state: "failing", word: "not read" };
  if (job.not_told) return { state: "idle", word: "not told" };
  if (made === 0) return { state: "stopped", word: "filtered" };
  return { state: "late", word: "not in the sink" };
}

// Of a whole trace: in how many of its sinks the record is, and what to look at.
export function SummaryOf(trace) {
  const verdicts = trace.tables.flatMap((table) => table.jobs.map(VerdictOf));
  const counts = new Map();
  for (const { word } of verdicts) counts.set(word, (counts.get(word) ?? 0) + 1);
  if (trace.dead_letters.length > 0) counts.set("refused at the door", trace.dead_letters.length);
  if (counts.size === 0) return "read by no job";
  return [...counts].map(([word, count]) => (count > 1 ? `${count} × ${word}` : word)).join(", ");
}
