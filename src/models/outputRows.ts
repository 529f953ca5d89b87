import { customGrad } from '../customGrad.js'
import type { Linear } from '../nn/index.js'
import { cat, split } from '../ops/join.js'
import { linear, linearBackward, linearForward } from '../ops/linear.js'
import { type Float, type Matrix, ranked, zeros } from '../tensor.js'
import type { StepRows } from './stepwise.js'

/**
 * Returns the logits of all steps, in the order of the steps [N, V]. Logits that a step has already are not computed again, and
 * the backward pass makes one product for all steps.
 * @internal
 */
export function outputRows({ weight, bias }: Linear, steps: readonly StepRows[]): Matrix {
  const blocks = steps.map(({ rows }) => rows)
  if (blocks.length === 0) return linear(zeros([0, weight.shape[1]], { device: weight.device }), weight, bias)
  if (bias === null || steps.every(({ logits }) => logits === null)) return linear(cat(blocks), weight, bias)
  const sizes = blocks.map(({ shape }) => shape[0])
  const output = customGrad(
    (...[w, b, ...rows]: Float[]) => {
      const left = steps.flatMap(({ logits }, t) => (logits === null ? [t] : []))
      const inputs = left.map(t => ranked(rows[t]!, 2))
      const made =
        left.length === 0
          ? []
          : split(
              linearForward(cat(inputs), ranked(w!, 2), ranked(b!, 1)),
              left.map(t => sizes[t]!),
            )
      const saved = { x: cat(rows.map(each => ranked(each, 2))), w: ranked(w!, 2) }
      return { output: cat(steps.map(({ logits }) => logits ?? made.shift()!)), saved }
    },
    ({ x, w }, [dY]) => {
      if (!dY) return [null, null, ...blocks.map(() => null)]
      const { dX, dWeight, dBias } = linearBackward(x, w, ranked(dY, 2))
      return [dWeight, dBias, ...split(dX!, sizes)]
    },
  )
  return output(weight, bias, ...blocks)
}
