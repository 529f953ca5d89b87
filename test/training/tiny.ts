import { noGrad } from '../../src/autograd.js'
import { device } from '../../src/device.js'
import { Dropout, Linear, Module } from '../../src/nn/index.js'
import { abs, add, mul, sub } from '../../src/ops/elementwise.js'
import { mseLoss } from '../../src/ops/loss.js'
import { mean, sum } from '../../src/ops/reduce.js'
import { Adam } from '../../src/optim/index.js'
import { Generator } from '../../src/random.js'
import { type Tensor, tensor } from '../../src/tensor.js'
import { Trainer } from '../../src/training/index.js'
import { DataLoader } from '../../src/training/loader.js'
import type { Sums, Task } from '../../src/training/task.js'
import type { TrainerOptions } from '../../src/training/trainerOptions.js'

/** A task that is not classification: two numbers in, one out, and a mean that goes from batch to batch. */

export const on = device('cpu', { threads: 1 })

export interface Point {
  x: readonly [number, number]
  y: number
}

const generator = new Generator(11)
export const points: Point[] = Array.from({ length: 23 }, () => {
  const x = [generator.normal(), generator.normal()] as const
  return { x, y: 2 * x[0] - x[1] + 0.1 * generator.normal() }
})

export class Regression extends Module {
  readonly dropout: Dropout
  readonly linear: Linear

  constructor(p = 0) {
    const own = { device: on, generator: new Generator(5) }
    super(own)
    this.dropout = this.child('dropout', new Dropout({ ...own, p }))
    this.linear = this.child('linear', new Linear({ ...own, inFeatures: 2, outFeatures: 1 }))
  }

  forward(x: Tensor<'float32', 2>): Tensor<'float32', 2> {
    return this.linear.forward(this.dropout.forward(x))
  }
}

export type Batch = readonly Point[]
/** The mean prediction of the batch before. */
export type Carry = { readonly before: Tensor }

export class Fit implements Task<Batch, Carry, number> {
  readonly model: Regression
  /** How many batches began without a carry. */
  starts = 0

  constructor(model: Regression) {
    this.model = model
  }

  weight(batch: Batch): number {
    return batch.length
  }

  step(batch: Batch, carry: Carry | null) {
    if (carry === null) this.starts++
    const { x, y } = tensorsOf(batch)
    const answers = this.model.forward(x)
    const before = carry?.before
    const known = before === undefined ? answers : add(answers, mul(floats(before), 0.1))
    const loss = mseLoss(known, y, { reduction: 'sum' })
    if (loss.shape.length !== 0) throw new Error('one number')
    const off = noGrad(() => sum(abs(sub(known, y))))
    return { loss: sum(loss), sums: { off, points: batch.length }, carry: { before: mean(answers) } }
  }

  metrics({ loss, weight, off = Number.NaN, points = Number.NaN }: Sums) {
    return { loss: loss / weight, off: off / points }
  }

  async predict(batch: Batch): Promise<number[]> {
    return [...(await this.model.forward(tensorsOf(batch).x).toArray())]
  }
}

function floats(x: Tensor): Tensor<'float32'> {
  if (x.dtype !== 'float32') throw new Error('floats')
  return x as Tensor<'float32'>
}

export function tensorsOf(batch: Batch) {
  const x = Float32Array.from(batch.flatMap(point => [...point.x]))
  const y = Float32Array.from(batch, point => point.y)
  return {
    x: tensor(x, [batch.length, 2], { device: on }),
    y: tensor(y, [batch.length, 1], { device: on }),
  }
}

export type Made = ReturnType<typeof newTrainer>

export function newTrainer(
  options: Partial<TrainerOptions<Batch, Carry, number, Regression>> = {},
  p = 0,
  make: (adam: Adam) => Partial<TrainerOptions<Batch, Carry, number, Regression>> = () => ({}),
) {
  const model = new Regression(p)
  const task = new Fit(model)
  const optimizer = new Adam(model.parameters(), { lr: 0.1 })
  const trainer = new Trainer({ model, task, optimizer, ...options, ...make(optimizer) })
  return { model, task, optimizer, trainer }
}

export function newLoader(options: { batchSize?: number; shuffle?: boolean; items?: Point[] } = {}) {
  const { items = points, batchSize = 4, ...order } = options
  const made: number[] = []
  const loader = new DataLoader<Point, Batch>(items, {
    ...{ batchSize, seed: 3, ...order },
    collate(batch) {
      made.push(batch.length)
      return batch
    },
  })
  return { loader, made }
}
