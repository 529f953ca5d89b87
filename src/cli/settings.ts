import type { CommonResults } from '../training/record.js'
import type { TrainOptions } from './trainOptions.js'

/** What a result depends on, by the names of the options. */
export function settingsOf(options: TrainOptions): CommonResults['settings'] {
  const { preset, source, vectors, batches, device } = options
  const finite = (bound: number) => (bound === Number.POSITIVE_INFINITY ? null : bound)
  return {
    preset: options.name,
    train: null,
    test: null,
    category: null,
    ...source,
    fold: source.format === 'omp' ? (source.fold ?? null) : null,
    dialect: source.format === 'omp' ? null : options.dialect,
    tokenizer: options.tokenizer,
    vectors: vectors?.file ?? null,
    limit: vectors === undefined ? null : finite(vectors.limit),
    'no-header': vectors?.noHeader ?? null,
    unk: options.unk,
    padding: options.padding,
    loop: options.loop,
    mode: options.mode,
    pooling: options.pooling,
    epochs: preset.epochs,
    'batch-size': preset.batchSize,
    'max-tokens': finite(batches.maxTokens),
    'drop-last': batches.dropLast,
    'evaluate-every': options.evaluateEvery,
    'on-non-finite': options.onNonFinite,
    device: device.kind ?? null,
    precision: device.options.precision ?? null,
    threads: device.options.threads ?? null,
    seed: options.seed,
  }
}
