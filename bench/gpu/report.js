/** The results as Markdown: what was measured, and of the rest why not. */

export function markdown(results) {
  return [
    `# ${results.device.name}, ${results.started.slice(0, 10)}`,
    head(results),
    results.suite && `## The device suite\n\n${suiteText(results.suite)}`,
    results.sanitizers && `## compute-sanitizer\n\n${sanitizerTable(results.sanitizers)}`,
    results.steps && `## A layer-step\n\n${stepTable(results.steps)}`,
    results.epochs && `## An epoch\n\n${epochTable(results.epochs)}`,
  ]
    .filter(Boolean)
    .join('\n\n')
    .concat('\n')
}

function head({ started, seconds, code, machine, device, torch, only }) {
  const [card] = machine.nvidiaSmi ?? []
  const commit =
    code.commit === null ? 'unknown' : `${code.commit.slice(0, 12)} of ${code.date?.slice(0, 10)}`
  const rows = [
    ['device', `${device.name}, ${device.instructions}`],
    [
      'card',
      card === undefined
        ? null
        : Object.entries(card)
            .map(([name, value]) => `${name} ${value}`)
            .join(', '),
    ],
    [
      '**library**',
      machine.cudaLibrary === null
        ? null
        : `**${machine.cudaLibrary}, by PACKED_RNN_CUDA_LIBRARY: times say nothing where it is a stand-in**`,
    ],
    ['host', `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Node ${machine.node}`],
    ['code', `packed-rnn ${code.version}, commit ${commit}${code.changed ? ', changed since' : ''}`],
    [
      'PyTorch',
      'reason' in torch
        ? torch.reason
        : Object.entries(torch)
            .map(([name, v]) => `${name} ${v}`)
            .join(', '),
    ],
    ['run', `${started}, ${Math.round(seconds)} s, parts: ${only.join(', ')}`],
  ]
  return table(
    ['', ''],
    rows.filter(([, text]) => text !== null),
  )
}

function suiteText({ reason, passed, failed, skipped, notRun, seconds, outcomes, output }) {
  if (reason !== undefined) return `${reason}${block(output)}`
  const counts = `${passed} passed, ${failed} failed, ${skipped} skipped, ${notRun} not run, in ${seconds.toFixed(1)} s.`
  const skips = new Map()
  for (const outcome of outcomes) {
    if (outcome.state === 'skipped') skips.set(outcome.reason, (skips.get(outcome.reason) ?? 0) + 1)
  }
  return [counts, ...[...skips].map(([why, count]) => `Skipped, ${count}: ${why}.`)].join(' ') + block(output)
}

function block(output) {
  return output === undefined ? '' : `\n\n\`\`\`\n${output.trim()}\n\`\`\``
}

function sanitizerTable(rows) {
  const cells = rows.map(({ tool, reason, summary, passed, notRun }) => [
    tool,
    reason ?? summary,
    reason === undefined ? `${passed ?? 0} passed, ${notRun ?? 0} not run` : '',
  ])
  return table(['tool', '', 'tests, every 8th of the suite'], cells)
}

const STEP_TEXT = `Microseconds of a layer-step, forward + backward: one LSTM layer, one direction, H inputs and H units, B
sequences of T rows; the time of the whole layer (input projection, recurrence, all gradients) divided by T. Median of
interleaved rounds. Checked before it was timed, against the float64 reference and the CPU backend; "error" is the largest
difference found, relative to the largest number of an array.`

function stepTable(points) {
  const names = [...new Set(points.flatMap(({ rows = [] }) => rows.map(({ who }) => who)))]
  const cells = points
    .filter(({ rows }) => rows !== undefined)
    .map(({ H, B, T, rows, referenceError, checked }) => [
      ...[H, B, T],
      ...names.map(name => {
        const row = rows.find(({ who }) => who === name)
        if (row === undefined) return ''
        return row.reason ?? `${figure(row.forward)} + ${figure(row.backward)}`
      }),
      figureOf(
        Math.max(referenceError ?? 0, checked?.error ?? 0),
        referenceError === null && checked === null,
      ),
    ])
  const parts = [STEP_TEXT, table(['H', 'B', 'T', ...names, 'error'], cells)]
  const reasons = new Map()
  for (const { H, B, T, reason } of points) {
    if (reason !== undefined) reasons.set(reason, [...(reasons.get(reason) ?? []), `${H}·${B}·${T}`])
  }
  for (const [reason, shapes] of reasons) parts.push(`${reason} (H·B·T): ${shapes.join(', ')}.`)
  return parts.join('\n\n')
}

function epochTable({ documents, tokens, words, lengths, workloads, withoutPeer }) {
  const about = `${documents} documents, ${tokens} tokens, of the lengths in bench/gnad-lengths.json (${lengths}); random words
by Zipf's law, of ${words}; batches of 256, optimiser and clipping as in the presets, no dropout. A: LSTM 300→64, frozen vectors; B: 300→128,
two layers, two directions, tuned vectors; C: 300→64, four layers, two directions, tuned vectors. "agrees with": whose losses in
the first steps were compared before anything was timed. An epoch is only told where a whole one ran. Our batches are packed inside the time, PyTorch's
are padded and on the device before it. ¹ computes something else: the second direction begins in the padding.`
  const cells = workloads.flatMap(({ name, rows }) =>
    rows.map(
      ({ who, reason, seconds, epochs, steps, of, secondsOfSteps, javascript, checked, otherFunction }) => [
        ...[name, `${who}${otherFunction ? ' ¹' : ''}`],
        ...(reason !== undefined
          ? ['—', reason, '', '']
          : [
              seconds === null ? '—' : figure(seconds),
              seconds === null
                ? `${steps} of ${of} steps in ${figure(secondsOfSteps)} s`
                : `median of ${epochs}`,
              checked ?? '—',
              javascript === undefined ? '' : `${(100 * javascript).toFixed(0)} %`,
            ]),
      ],
    ),
  )
  const parts = [about, table(['', '', 'seconds an epoch', '', 'agrees with', 'JavaScript'], cells)]
  return [...parts, ...(withoutPeer ? [`${withoutPeer}.`] : [])].join('\n\n')
}

function figureOf(error, none) {
  return none ? '—' : error.toExponential(1)
}

/** Three digits that count. */
function figure(value) {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)))
}

function table(heads, rows) {
  const line = cells => `| ${cells.map(cell => String(cell).replaceAll('|', '\\|')).join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}
