// Trains the preset gru-attention for some epochs, in packed-rnn and in PyTorch, and compares the BLEU of their translations.
// Both start with the same parameters and read the same batches in the same order. Dropout, and the steps that read the model's
// own word, are random on each side.
//
//   node bench/translation.js --train PREFIX --test PREFIX [--epochs N] [--pairs N] [--threads N] [--peers torch|none] [--json FILE]
//
// PREFIX.de.gz and PREFIX.en.gz have a sentence a line. An epoch's time is that of its training steps.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { OWN_LIBRARY } from '../dist/bench/library.js'
import { shuffledBatches } from '../dist/bench/translation/batches.js'
import { marks, readPairs, readTest } from '../dist/bench/translation/pairs.js'
import { ourTranslation, torchTranslation } from '../dist/bench/translation/sides.js'
import { configOf, USUAL } from '../dist/bench/translation/workload.js'
import { usableCores } from '../dist/cpuQuota.js'
import { translationPresets } from '../dist/models/index.js'
import { Generator } from '../dist/random.js'
import { bleu } from '../dist/scores/index.js'

/** Sentences that are translated at once, and the most words of a translation. */
const [BATCH, WORDS] = [64, 60]
const HOUR = 3600

const { values: options } = parseArgs({
  options: {
    train: { type: 'string' },
    test: { type: 'string' },
    epochs: { type: 'string', default: '2' },
    pairs: { type: 'string', default: 'Infinity' },
    threads: { type: 'string', default: String(usableCores()) },
    peers: { type: 'string', default: 'torch' },
    json: { type: 'string' },
  },
})
if (options.train === undefined || options.test === undefined) {
  throw new Error('--train, --test: wanted prefixes of files')
}
const { pairs, ...vocabularies } = await readPairs(options.train)
const { sources, references, textOf } = await readTest(options.test, options.train)
const generator = new Generator(1)
const used = pairs.slice(0, Number(options.pairs))
const epochs = Array.from({ length: Number(options.epochs) }, (_, i) => `epoch${i + 1}`)
const sets = Object.fromEntries(epochs.map(name => [name, shuffledBatches(used, USUAL.batchSize, generator)]))

const folder = await mkdtemp(join(tmpdir(), 'packed-rnn-translation-'))
const sides = []
try {
  const files = { batches: join(folder, 'sentences.json'), parameters: join(folder, 'model.safetensors') }
  const { sourceVocabularySize, targetVocabularySize } = vocabularies
  const given = { ...files, sourceVocabularySize, targetVocabularySize, threads: Number(options.threads) }
  const config = configOf(USUAL, given)
  config.layers.initial = translationPresets['gru-attention'].layers.initial
  await writeFile(files.batches, JSON.stringify({ sets, sources }))
  sides.push(ourTranslation('packed-rnn', OWN_LIBRARY, config))
  const torch = options.peers === 'none' ? { missing: 'it is not asked for' } : torchTranslation(config)
  if ('missing' in torch) console.log(`PyTorch is missing: ${torch.missing}`)
  else sides.push(torch)
  for (const { process } of sides) await process.answer()
  await sides[0].process.ask('parameters')

  const ways = sides.flatMap(({ process, ways }) =>
    ways.filter(({ translates }) => translates).map(({ who, way }) => ({ process, who, way, seconds: [] })),
  )
  for (const name of epochs) {
    for (const { process, who, way, seconds } of ways) {
      seconds.push((await process.ask(`time ${way} ${name}`, HOUR)).number('seconds'))
      console.log(`${who}: ${name}: ${seconds.at(-1).toFixed(0)} s`)
    }
  }
  const results = []
  for (const { process, who, way, seconds } of ways) {
    const answer = await process.ask(`translate ${way} trained 1 ${BATCH} ${WORDS} ${marks.end}`, HOUR)
    const written = answer
      .lists('words')
      .map(ids => textOf(ids.includes(marks.end) ? ids.slice(0, ids.indexOf(marks.end)) : ids))
    const { score, signature } = bleu(written, references, { tokenize: 'none' })
    results.push({ who, epochSeconds: seconds, bleu: score, signature })
    console.log(`${who}: BLEU ${score.toFixed(2)} of ${written.length} sentences, greedy`)
  }
  const about = `${cpus()[0].model}, ${options.threads} threads; ${used.length} pairs of ${vocabularies.about}`
  console.log(about)
  if (options.json !== undefined)
    await writeFile(options.json, `${JSON.stringify({ about, results }, null, 2)}\n`)
} finally {
  for (const { process } of sides) await process.close()
  await rm(folder, { recursive: true, force: true })
}
