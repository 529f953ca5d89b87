import type { Finding } from './records.js'
import {
  EPOCH_TEXT,
  epochSummaries,
  faults,
  figure,
  percent,
  pick,
  pointTable,
  STEP_TEXT,
  whatRan,
} from './summary.js'

/** Findings as Markdown: the measurements, and the reasons for missing ones. */
export function markdown(findings: readonly Finding[]): string {
  const sections = [head, wrongText, partTable, suiteText, checkTable, epochTable, stepTable, toolText]
  return `${sections
    .map(section => section(findings))
    .filter(text => text !== '')
    .join('\n\n')}\n`
}

function head(findings: readonly Finding[]): string {
  const [run] = pick(findings, 'run')
  if (run === undefined) return '# A run without records'
  const { started, code, host, seconds, device } = run
  const found = pick(findings, 'device').at(-1)
  const torch = pick(findings, 'torch').at(-1)
  const commit =
    code.commit === null
      ? ''
      : `, commit ${code.commit.slice(0, 12)} of ${code.date?.slice(0, 10)}${code.changed ? ', changed since' : ''}`
  const name = found?.name ?? device
  const rows: [string, string | null][] = [
    ['device', found?.reason ?? (found?.name ? `${found.name}, ${found.instructions}` : null)],
    ...(host.cards ?? []).map((card): [string, string] => ['card', card]),
    [
      '**library**',
      host.cudaLibrary === null
        ? null
        : `**${host.cudaLibrary}, from PACKED_RNN_CUDA_LIBRARY: times are meaningless if it is a stand-in**`,
    ],
    ['host', `${host.cpu}, ${host.cores} cores, ${host.memoryGiB} GiB, Node ${host.node}`],
    ['code', `packed-rnn ${code.version}${commit}`],
    [
      'PyTorch',
      torch === undefined
        ? null
        : (torch.reason ??
          Object.entries(torch.versions ?? {})
            .map(([name, version]) => `${name} ${version}`)
            .join(', ')),
    ],
    ['run', `${started}, at most ${seconds} s`],
  ]
  const rehearsal = host.cudaLibrary === null ? '' : ' (a rehearsal)'
  return `# ${name}, ${started.slice(0, 10)}${rehearsal}\n\n${table(
    ['', ''],
    rows.flatMap(([what, text]) => (text === null ? [] : [[what, text]])),
  )}`
}

function wrongText(findings: readonly Finding[]): string {
  const lines = faults(findings)
  return lines.length === 0 ? '' : `## Wrong\n\n${lines.map(line => `- ${line}`).join('\n')}`
}

function partTable(findings: readonly Finding[]): string {
  const parts = pick(findings, 'part')
  const rows = parts.flatMap(({ part, state, seconds, reason }, i) => {
    // Without an end, the part was cut off with the run.
    if (state === 'begun') {
      return parts.slice(i + 1).some(other => other.part === part)
        ? []
        : [[part, 'the run ended during this part', `of ${seconds.toFixed(0)}`]]
    }
    return [[part, reason ?? state, state === 'left out' ? '' : seconds.toFixed(1)]]
  })
  return rows.length === 0 ? '' : `## Parts\n\n${table(['part', '', 'seconds'], rows)}`
}

function suiteText(findings: readonly Finding[]): string {
  const shards = pick(findings, 'suite')
  if (shards.length === 0 && pick(findings, 'test').length === 0) return ''
  const sum = (key: 'passed' | 'skipped' | 'notRun' | 'processes') =>
    shards.reduce((total, shard) => total + shard[key], 0)
  const failures = pick(findings, 'test')
  const text = `${sum('passed')} passed, ${failures.length} failed, ${sum('skipped')} skipped, ${sum('notRun')} not run, in ${shards.length} shards and ${sum('processes')} processes.`
  const cut = shards.flatMap(({ cutOff }) => cutOff ?? [])
  const late = cut.map(name => `\n\nThe time was over during: ${name}.`)
  const blocks = failures.map(({ name, reason }) => `\n\n\`\`\`\n${name}\n${reason}\n\`\`\``)
  return `## The device suite\n\n${text}${late.join('')}${blocks.join('')}`
}

function checkTable(findings: readonly Finding[]): string {
  const rows = pick(findings, 'check').map(({ what, against, error, reason }) => [
    ...[what, against],
    reason ?? (error === null ? 'agrees' : error.toExponential(1)),
  ])
  if (rows.length === 0) return ''
  const text = 'The largest difference of all results, relative to the largest number of the array.'
  return `## Checked before it was timed\n\n${text}\n\n${table(['', 'against', 'error'], rows)}`
}

function stepTable(findings: readonly Finding[]): string {
  const { names, shapes, reasons } = pointTable(findings)
  if (shapes.length === 0 && reasons.size === 0) return ''
  const rows = shapes.map(shape => [
    ...[shape[0]!.H, shape[0]!.B, shape[0]!.T].map(String),
    ...names.map(name => {
      const row = shape.find(({ who }) => who === name)
      return row === undefined ? '' : `${figure(row.forward!)} + ${figure(row.backward!)}`
    }),
  ])
  const left = [...reasons].map(([reason, which]) => `${reason} (H·B·T): ${which.join(', ')}.`)
  const parts = rows.length === 0 ? [] : [table(['H', 'B', 'T', ...names], rows)]
  return ['## A layer-step', STEP_TEXT, ...parts, ...left].join('\n\n')
}

function epochTable(findings: readonly Finding[]): string {
  const rows = epochSummaries(findings).map(row => [
    ...[row.workload, `${row.who}${row.otherFunction ? ' ¹' : ''}`],
    row.seconds === null ? '—' : figure(row.seconds),
    whatRan(row),
    row.javascript === null ? '' : percent(row.javascript),
  ])
  const [data] = pick(findings, 'data')
  if (rows.length === 0 || data === undefined) return ''
  const about = `${data.documents} documents, ${data.tokens} tokens, of the lengths in bench/gnad-lengths.json (${data.about}); random words by Zipf's law, of ${data.words}.`
  return ['## An epoch', EPOCH_TEXT, about, table(['', '', 'seconds', '', 'JavaScript'], rows)].join('\n\n')
}

function toolText(findings: readonly Finding[]): string {
  return pick(findings, 'tool')
    .map(({ tool, summary, rows }) => {
      const heads = Object.keys(rows[0] ?? {})
      const cells = rows.map(row => heads.map(name => row[name] ?? ''))
      return `## ${tool}\n\n${summary}${rows.length === 0 ? '' : `\n\n${table(heads, cells)}`}`
    })
    .join('\n\n')
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map(cell => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}
