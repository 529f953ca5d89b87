import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Against } from '../against.js'
import { present } from '../latency/run.js'
import { OWN_LIBRARY } from '../library.js'
import { OURS } from '../ourSide.js'
import { batchSetsOf, type Sentences } from './batches.js'
import type { Pairs } from './pairs.js'
import { measureTranslation, type TranslationOptions, type TranslationResults } from './run.js'
import { ourTranslation, torchTranslation } from './sides.js'
import { aboutModel, configOf, QUICK, USUAL } from './workload.js'

/** The results, and what they are of. */
export interface TranslationBench extends TranslationResults {
  about: string
  /** Where the sentences come from, and how many words there are. */
  sentences: { about: string; sourceVocabularySize: number; targetVocabularySize: number }
}

interface StartOptions extends TranslationOptions {
  threads: number
  against: Against | null
  /** Whether PyTorch is a peer, if it is installed. */
  torch: boolean
  /** A folder for the participants' files. */
  folder: string
}

/** @throws Error (rejects) if there are too few pairs, or results differ */
export async function benchTranslation(
  { pairs, ...sentences }: Pairs,
  { threads, against, torch, folder, ...options }: StartOptions,
): Promise<TranslationBench> {
  const sizes = options.quick ? QUICK : USUAL
  const batches = batchSetsOf(pairs, sizes)
  const { sourceVocabularySize, targetVocabularySize } = sentences
  const config = configOf(sizes, {
    ...{ threads, sourceVocabularySize, targetVocabularySize },
    batches: join(folder, 'translation.json'),
    parameters: join(folder, 'translation.safetensors'),
  })
  const sources = pairs.slice(0, sizes.sources).map(({ source }) => source)
  const written: Sentences = { sets: batches, sources }
  await writeFile(config.batches, JSON.stringify(written))
  const sides = [ourTranslation(OURS, OWN_LIBRARY, config)]
  if (against !== null) sides.push(ourTranslation(against.who, against.library, config))
  if (torch) sides.push(...present([torchTranslation(config)]))
  return {
    about: aboutModel(sizes),
    sentences,
    ...(await measureTranslation(sides, { batches, sources: sources.length }, options)),
  }
}
