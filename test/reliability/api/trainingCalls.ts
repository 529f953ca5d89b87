import {
  Classifier,
  type EpochRecord,
  evaluate,
  type FitOptions,
  type Pooling,
  type Preset,
  rulesOf,
  Trainer,
  type TrainerState,
} from '../../../src/compat/training.js'
import { PackedRnnError } from '../../../src/errors.js'
import { PackedIds } from '../../../src/packed.js'
import { Generator } from '../../../src/random.js'
import type { LabelledDocuments } from '../../../src/text/batches.js'
import { crossEntropyReference } from '../../reference/ops.js'
import type { Call } from './opCalls.js'
import { expectSame, untyped, type World } from './world.js'

/** Classifiers, trainers and their evaluation. */

/** V and C of nearly all classifiers here, so that nearly all documents fit. */
export const [WORDS, CLASSES] = [6, 3]

/** A size that a classifier may have, or one that none may. */
function size(world: World, usual: number): number {
  return world.hostile.once(60) ? world.hostile.oneOf([0, -1, 0.5, Number.NaN, 2 ** 31, 2 ** 53]) : usual
}

function presetOf(world: World): Preset {
  const { hostile } = world
  return {
    hiddenSize: size(world, 1 + hostile.below(3)),
    numLayers: size(world, 1 + hostile.below(2)),
    bidirectional: hostile.once(2),
    dropout: hostile.once(3) ? hostile.number(0.5) : 0,
    tuneEmbedding: hostile.once(2),
    optimizer: hostile.once(2)
      ? { kind: 'sgd', lr: hostile.number(0.1), momentum: hostile.number(0.9) }
      : { kind: 'adam', lr: hostile.number(0.01) },
    clip: hostile.number(1),
    batchSize: hostile.number(1 + hostile.below(4)),
    epochs: 1,
  }
}

/** A new classifier, which the caller disposes. */
export function newClassifier(world: World): Classifier | null {
  const { hostile } = world
  const [vocabularySize, embeddingDim] = [size(world, WORDS), size(world, 2)]
  const given = hostile.once(20) ? hostile.below(20) : WORDS * 2
  const poolings: Pooling[] = ['final', 'notebook-last', 'max', 'mean', 'concat']
  return world.attempt('training.Classifier', () => {
    const made = new Classifier({
      ...{ vocabularySize, embeddingDim, preset: presetOf(world), classes: size(world, CLASSES) },
      ...{ device: world.device, generator: new Generator(hostile.below(100)) },
      ...(hostile.once(2) && { vectors: hostile.values(given) }),
      ...(hostile.once(2) && {
        pooling: hostile.once(30) ? untyped<Pooling>('all') : hostile.oneOf(poolings),
      }),
    })
    expectSame('Classifier: rows', made.embedding.weight.shape, [vocabularySize, embeddingDim])
    return made
  })
}

/** One of those made, or a new one, which any later call may dispose. */
export function classifierOf(world: World): Classifier | null {
  const { hostile } = world
  const made = world.others.filter(each => each instanceof Classifier)
  if (made.length > 0 && !hostile.once(4)) return hostile.oneOf(made)
  if (hostile.once(40)) return untyped(world.anything())
  const one = newClassifier(world)
  return one && world.keepOther(one)
}

/** Documents of few words, some empty; now and then with an id or a label outside, or another number of labels. */
export function labelled(world: World): LabelledDocuments {
  const { hostile } = world
  const wrong = hostile.once(8)
  const number = (below: number) => (wrong ? hostile.number(hostile.below(below)) : hostile.below(below))
  const documents = Array.from({ length: hostile.below(7) }, () =>
    Int32Array.from({ length: hostile.below(5) }, () => number(WORDS)),
  )
  const count = hostile.once(30) ? hostile.below(7) : documents.length
  const classes = hostile.once(6) ? 1 : CLASSES
  return { documents, labels: Int32Array.from({ length: count }, () => number(classes)) }
}

/** No signal, an aborted one, or one that will abort. */
export function signalOf(world: World): { signal?: AbortSignal } {
  const { hostile } = world
  if (!hostile.once(5)) return {}
  const controller = new AbortController()
  // One of the package's errors: the caller's reason is what is thrown.
  const abort = () => controller.abort(new PackedRnnError('ERR_EMPTY', 'stopped'))
  if (hostile.once(3)) abort()
  else setTimeout(abort, hostile.below(4))
  return { signal: controller.signal }
}

function fitOptions(world: World): FitOptions {
  const { hostile } = world
  return {
    // An epoch of these takes a millisecond: no more of them than end soon.
    epochs: hostile.once(30) ? hostile.oneOf([0, -1, 0.5, Number.NaN, 2 ** 31]) : 1 + hostile.below(3),
    ...(hostile.once(3) && { shuffleSeed: hostile.number(hostile.below(5)) }),
    ...(hostile.once(4) && { bucketByLength: true }),
    ...(hostile.once(4) && { maxTokens: hostile.number(1 + hostile.below(9)) }),
    ...(hostile.once(4) && { dropLast: true }),
    ...(hostile.once(3) && { test: { data: labelled(world), every: hostile.number(1) } }),
    ...signalOf(world),
  }
}

function trainerOf(world: World, model: Classifier): Trainer | null {
  const { hostile } = world
  const trainer = world.attempt('training.Trainer', () => {
    return new Trainer(model, {
      ...presetOf(world),
      ...(hostile.once(3) && {
        rules: rulesOf(hostile.oneOf(['batched', 'document']), hostile.oneOf(['fixed', 'notebook'])),
      }),
      ...(hostile.once(2) && {
        onNonFinite: hostile.once(20) ? untyped('stop') : hostile.oneOf(['throw', 'skip', 'ignore'] as const),
      }),
    })
  })
  if (trainer !== null) world.keepOther(trainer.optimizer)
  return trainer
}

/** Trains, reads all progress, and sometimes breaks out of the loop. */
async function trained(trainer: Trainer, data: LabelledDocuments, options: FitOptions, breaks: number) {
  let events = 0
  for await (const progress of trainer.fit(data, options)) {
    const { epoch, epochs, step, steps } = progress
    if (!(epoch >= 1 && epoch <= epochs && step >= 1 && step <= steps && epochs === options.epochs))
      throw new Error(`Trainer.fit: epoch ${epoch} of ${epochs}, step ${step} of ${steps}`)
    if (++events === breaks) return
  }
  expectSame('Trainer.fit: epochs', trainer.history.length >= options.epochs, true)
  for (const [i, record] of trainer.history.entries()) checkRecord(record, i + 1)
}

export function checkRecord({ epoch, accuracy, gradNorm }: EpochRecord, wanted: number): void {
  const fits = epoch === wanted && !(accuracy < 0 || accuracy > 1) && !(gradNorm.largest < 0)
  if (!fits)
    throw new Error(`Trainer.history: epoch ${epoch}, accuracy ${accuracy}, norm ${gradNorm.largest}`)
}

/** With all that the types allow, several at once, and models that others dispose meanwhile. */
function train(world: World): void {
  const { hostile } = world
  const model = classifierOf(world)
  if (model === null) return
  const trainer = trainerOf(world, model)
  if (trainer === null) return
  const data = labelled(world)
  const options = fitOptions(world)
  const breaks = hostile.once(3) ? 1 + hostile.below(4) : Infinity
  world.attemptLater('training.Trainer.fit', () => trained(trainer, data, options, breaks))
  const other = hostile.once(2) ? data : labelled(world)
  if (hostile.once(5)) {
    world.attemptLater('training.Trainer.fit', () => trained(trainer, other, options, Infinity))
  }
  const states: TrainerState[] = []
  if (hostile.once(4))
    world.attemptLater(
      'training.Trainer.state',
      () => trainer.state(),
      state => states.push(state),
    )
  if (hostile.once(8)) model.dispose?.()
  world.later(async () => {
    await new Promise(resolve => setTimeout(resolve, hostile.below(3)))
    for (const state of states) world.attempt('training.Trainer.restore', () => trainer.restore(state))
  })
}

/** Finite losses, and the bits of a run that was interrupted and restored elsewhere. */
function resume(world: World): void {
  const { hostile } = world
  const seed = hostile.below(100)
  const options = presetOf(world)
  const makeModel = () => {
    const made = new Classifier({
      ...{ preset: options, vocabularySize: WORDS, embeddingDim: 2, classes: CLASSES },
      ...{ device: world.device, generator: new Generator(seed) },
    })
    return made
  }
  const trainers: Trainer[] = []
  const end = () => {
    for (const { model, optimizer } of trainers) for (const each of [model, optimizer]) each.dispose()
  }
  const make = () => {
    const model = makeModel()
    try {
      const made = new Trainer(model, options)
      trainers.push(made)
      return made
    } catch (error) {
      model.dispose()
      throw error
    }
  }
  const data = labelled(world)
  const order = { epochs: 2, shuffleSeed: seed }
  const stop = 1 + hostile.below(4)
  const whole = async () => {
    const [straight, broken, restored] = [make(), make(), make()]
    await trained(straight, data, order, Infinity)
    await trained(broken, data, order, stop)
    restored.restore(await broken.state())
    await trained(restored, data, order, Infinity)
    return [straight, restored] as const
  }
  world.attemptLater(
    'training.Trainer.restore',
    () =>
      whole()
        .finally(end)
        .then(pair => pair.map(({ history }) => history.map(withoutTimes))),
    ([straight, restored]) => expectSame('Trainer.restore: history', restored, straight),
  )
}

function withoutTimes({ seconds: _, tokensPerSecond: __, ...rest }: EpochRecord) {
  // A norm of finite gradients may be beyond float32.
  if (!Number.isFinite(rest.loss)) throw new Error(`Trainer.fit: reported ${rest.loss}, and threw nothing`)
  return rest
}

/** Loss and predictions follow from the probabilities, and these from the logits. */
function evaluated(world: World): void {
  const { hostile } = world
  const model = classifierOf(world)
  if (model === null) return
  const data = labelled(world)
  const options = {
    batchSize: hostile.number(1 + hostile.below(4)),
    dropout: hostile.once(6),
    ...signalOf(world),
  }
  world.attemptLater(
    'training.evaluate',
    () => evaluate(model, data, options),
    ({ loss, predicted, probabilities }) => {
      const [N, C] = [data.labels.length, model.classifier.weight.shape[0]]
      expectSame('evaluate: sizes', [predicted.length, probabilities.length], [N, N * C])
      if (probabilities.some(p => !Number.isFinite(p))) return
      const logs = Float64Array.from(probabilities, Math.log)
      const wanted = crossEntropyReference(logs, [...data.labels], { reduction: 'mean', labelSmoothing: 0 })
      if (
        Math.min(...probabilities) > 1e-6 &&
        !(Math.abs(loss - wanted.loss) <= 1e-4 * Math.max(1, wanted.loss))
      )
        throw new Error(`evaluate: wanted the loss ${wanted.loss}, got ${loss}`)
      const best = Array.from(predicted, (_, n) => {
        const row = probabilities.subarray(n * C, (n + 1) * C)
        return row.indexOf(Math.max(...row))
      })
      expectSame('evaluate: predicted', [...predicted], best)
    },
  )
}

/** Two evaluations at once, and one alone. */
function evaluatedTogether(world: World): void {
  const model = newClassifier(world)
  if (model === null) return
  const data = labelled(world)
  const run = async () => {
    const options = { batchSize: 1 + world.hostile.below(3) }
    const [one, other] = await Promise.all([evaluate(model, data, options), evaluate(model, data)])
    const alone = await evaluate(model, data)
    expectSame('evaluate: two at once', [one.predicted, other], [alone.predicted, alone])
    expectSame('evaluate: the mode', [model.training, model.lstm.training], [true, true])
  }
  world.attemptLater('training.evaluate', () => run().finally(() => model.dispose()))
}

export const trainingCalls: Record<string, Call> = {
  evaluated,
  evaluatedTogether,
  classifier(world) {
    const model = classifierOf(world)
    if (!(model instanceof Classifier)) return
    const documents = world.hostile.once(30) ? [] : labelled(world).documents
    const [C] = model.classifier.weight.shape
    const logits = world.attempt('training.Classifier.forward', () =>
      model.forward(world.hostile.once(20) ? untyped(world.anything()) : new PackedIds(documents)),
    )
    if (logits === null) return
    world.keep(logits)
    if (logits.shape[1] !== C) throw new Error(`Classifier.forward: ${logits.shape} for ${C} classes`)
  },
}

export const slowTrainingCalls: Record<string, Call> = { train, resume }
