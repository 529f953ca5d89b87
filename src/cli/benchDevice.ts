import { join } from 'node:path'
import { deviceParts } from '../bench/device/parts.js'
import type { Finding } from '../bench/device/records.js'
import { FILES, runOnDevice } from '../bench/device/run.js'
import { epochSummaries, faults, figure, pointTable, whatRan } from '../bench/device/summary.js'
import { DOCUMENTS } from '../bench/device/workload.js'
import { deviceChoice, deviceOptions } from './deviceOptions.js'
import { Failure, integerOption, noPositionals, numberOption, parse, textOption, usageOf } from './options.js'
import { aligned } from './table.js'

const SECONDS = 330
const OUT = 'packed-rnn-bench'

const table = {
  device: textOption('NAME', 'cpu, cuda or cuda:N'),
  precision: {
    ...deviceOptions.precision,
    help: "of matrix products: tf32, float32 or bfloat16; default the device's",
  },
  seconds: numberOption(
    `time limit of the whole run, default ${SECONDS}; parts that do not fit are skipped`,
    1,
  ),
  documents: integerOption(
    `of an epoch, default ${DOCUMENTS}, as 10kGNAD's train.csv has; random words of the same lengths`,
    1,
  ),
  out: textOption('DIR', `folder for ${Object.values(FILES).join(', ')}; default ${OUT}`),
} as const

export const deviceBenchUsage = `\
With --device it measures that device instead: microseconds of a layer-step and epochs of the presets, next to PyTorch if python3 (or
PYTHON) has it. Results are compared with a float64 reference, with the CPU and with PyTorch before they are timed. Each figure is written when
it is measured, so an interrupted run keeps them.

${usageOf(table)}`

export async function benchDevice(args: string[], signal: AbortSignal): Promise<void> {
  const { values, positionals } = parse(args, table)
  noPositionals(positionals)
  const { kind, options } = deviceChoice(values)
  const device = kind!
  const precision = options.precision ?? null
  const { documents = DOCUMENTS, out = OUT, seconds = SECONDS } = values
  const findings = await runOnDevice({
    ...{ out, device, precision, signal, seconds },
    log: line => process.stderr.write(`${line}\n`),
    parts: found => {
      const {
        device: checks,
        epochs,
        steps,
      } = deviceParts(found, { device, precision, documents, points: 'grid' })
      return [checks, ...epochs, { ...steps, seconds: 2 * steps.seconds }]
    },
  })
  signal.throwIfAborted()
  process.stdout.write(`${tables(findings)}\n${join(out, FILES.page)} shows all of it\n`)
  const wrong = faults(findings)
  if (wrong.length > 0) throw new Failure(wrong.join('\n'))
}

function tables(findings: readonly Finding[]): string {
  const epochs = epochSummaries(findings).map(row => [
    `${row.workload}, ${row.who}${row.otherFunction ? ' ¹' : ''}`,
    row.seconds === null ? '—' : figure(row.seconds),
    whatRan(row),
  ])
  const { names, shapes } = pointTable(findings)
  const points = shapes.map(shape => [
    `H ${shape[0]!.H}, B ${shape[0]!.B}, T ${shape[0]!.T}`,
    ...names.map(name => {
      const row = shape.find(({ who }) => who === name)
      return row === undefined ? '' : `${figure(row.forward!)} + ${figure(row.backward!)}`
    }),
  ])
  return [
    ...(epochs.length === 0 ? [] : ['an epoch', aligned([['', 'seconds', ''], ...epochs])]),
    ...(epochs.some(([name]) => name!.endsWith('¹'))
      ? ['  ¹ computes something else: the second direction begins in the padding']
      : []),
    ...(points.length === 0
      ? []
      : ['a layer-step, forward + backward', aligned([['microseconds', ...names], ...points])]),
  ].join('\n')
}
