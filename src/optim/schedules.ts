import { checkInteger, checkNumber, checkOptions } from '../check.js'
import { badArgument } from '../errors.js'

/**
 * Returns the learning rate of a step. A pure function of the number of earlier steps and of the group's initial rate, which
 * is its rate when the `Scheduler` is created. The caller decides whether it counts updates or epochs.
 */
export type Schedule = (step: number, rate: number) => number

/**
 * Step decay: rate · γ^⌊step / stepSize⌋ (torch.optim.lr_scheduler.StepLR).
 *
 * @param options `stepSize`: steps between drops, at least 1; `gamma`: γ, at least 0, default 0.1.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for an invalid number; ERR_INVALID_ARGUMENT for an unknown option.
 * @example
 * ```ts
 * import { optim } from 'packed-rnn'
 *
 * const schedule = optim.stepDecay({ stepSize: 2 })
 * console.log([0, 1, 2, 3, 4].map(step => schedule(step, 1).toFixed(3))) // ['1.000', '1.000', '0.100', '0.100', '0.010']
 * ```
 */
export function stepDecay(options: { stepSize: number; gamma?: number }): Schedule {
  checkOptions('stepDecay', options, { stepSize: true, gamma: true })
  const { stepSize, gamma = 0.1 } = options
  checkInteger('stepDecay', 'stepSize', stepSize, 1)
  checkNumber('stepDecay', 'gamma', gamma, 0)
  return (step, rate) => rate * gamma ** Math.floor(step / stepSize)
}

/**
 * Cosine annealing: minimum + (rate − minimum) (1 + cos(π step / steps)) / 2 (Loshchilov and Hutter 2017, without restarts;
 * torch.optim.lr_scheduler.CosineAnnealingLR). After `steps` steps the rate rises again, as in PyTorch.
 *
 * @param options `steps`: PyTorch's T_max, at least 1; `minimum`: the lowest rate, PyTorch's eta_min, default 0.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for an invalid number; ERR_INVALID_ARGUMENT for an unknown option.
 * @example
 * ```ts
 * import { optim } from 'packed-rnn'
 *
 * const schedule = optim.cosineAnnealing({ steps: 4 })
 * console.log([0, 1, 2, 3, 4].map(step => schedule(step, 1).toFixed(3))) // ['1.000', '0.854', '0.500', '0.146', '0.000']
 * ```
 */
export function cosineAnnealing(options: { steps: number; minimum?: number }): Schedule {
  checkOptions('cosineAnnealing', options, { steps: true, minimum: true })
  const { steps, minimum = 0 } = options
  checkInteger('cosineAnnealing', 'steps', steps, 1)
  checkNumber('cosineAnnealing', 'minimum', minimum, 0)
  return (step, rate) => anneal(rate, minimum, step / steps)
}

/**
 * One cycle (Smith and Topin 2018, in fastai's two phases; torch.optim.lr_scheduler.OneCycleLR with cosine annealing): from
 * rate / divFactor to `rate` in the first pctStart · steps − 1 steps, then to rate / (divFactor finalDivFactor) at the last
 * step, steps − 1. Each phase is a half cosine. Later steps keep the last rate; PyTorch throws for them.
 *
 * @param options `steps`: steps of the whole cycle, at least 1; `pctStart`: from 0 to 1, default 0.3; `divFactor`: above 0,
 * default 25; `finalDivFactor`: above 0, default 1e4.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for an invalid number; ERR_INVALID_ARGUMENT for an unknown option.
 * @example
 * ```ts
 * import { optim } from 'packed-rnn'
 *
 * const schedule = optim.oneCycle({ steps: 5, pctStart: 0.6 })
 * console.log([0, 1, 2, 3, 4].map(step => schedule(step, 1).toFixed(3))) // ['0.040', '0.520', '1.000', '0.500', '0.000']
 * ```
 */
export function oneCycle(options: {
  steps: number
  pctStart?: number
  divFactor?: number
  finalDivFactor?: number
}): Schedule {
  checkOptions('oneCycle', options, { steps: true, pctStart: true, divFactor: true, finalDivFactor: true })
  const { steps, pctStart = 0.3, divFactor = 25, finalDivFactor = 1e4 } = options
  checkInteger('oneCycle', 'steps', steps, 1)
  checkNumber('oneCycle', 'pctStart', pctStart, 0, 1)
  checkNumber('oneCycle', 'divFactor', divFactor, Number.MIN_VALUE)
  checkNumber('oneCycle', 'finalDivFactor', finalDivFactor, Number.MIN_VALUE)
  const peak = pctStart * steps - 1
  const last = steps - 1
  return (step, rate) => {
    const first = rate / divFactor
    const at = Math.min(step, last)
    // With pctStart 1 the first phase is the whole cycle and ends at the peak.
    if (peak > 0 && at <= peak) return at < peak ? anneal(first, rate, at / peak) : rate
    return at < last
      ? anneal(rate, first / finalDivFactor, (at - peak) / (last - peak))
      : first / finalDivFactor
  }
}

/**
 * Slanted triangular rates (Howard and Ruder 2018, ULMFiT, equation 3): with cut = ⌊steps · cutFraction⌋ and
 * p = step / cut before the cut, else 1 − (step − cut) / (cut (1 / cutFraction − 1)), rate (1 + p (ratio − 1)) / ratio.
 * Later steps keep rate / ratio.
 *
 * @param options `steps`: steps of the whole training, at least 1 / cutFraction; `cutFraction`: above 0 and below 1, default
 * 0.1; `ratio`: the highest rate divided by the lowest, at least 1, default 32.
 * @throws PackedRnnError ERR_OUT_OF_RANGE for an invalid number; ERR_INVALID_ARGUMENT for an unknown option.
 * @example
 * ```ts
 * import { optim } from 'packed-rnn'
 *
 * const schedule = optim.slantedTriangular({ steps: 4, cutFraction: 0.5 })
 * console.log([0, 1, 2, 3, 4].map(step => schedule(step, 1).toFixed(3))) // ['0.031', '0.516', '1.000', '0.516', '0.031']
 * ```
 */
export function slantedTriangular(options: {
  steps: number
  cutFraction?: number
  ratio?: number
}): Schedule {
  checkOptions('slantedTriangular', options, { steps: true, cutFraction: true, ratio: true })
  const { steps, cutFraction = 0.1, ratio = 32 } = options
  checkNumber('slantedTriangular', 'cutFraction', cutFraction, Number.MIN_VALUE, 1 - 2 ** -53)
  checkInteger('slantedTriangular', 'steps', steps, 1)
  checkNumber('slantedTriangular', 'ratio', ratio, 1)
  const cut = Math.floor(steps * cutFraction)
  if (cut === 0) {
    throw badArgument('slantedTriangular', 'steps', `at least 1 / ${cutFraction}`, steps, 'ERR_OUT_OF_RANGE')
  }
  return (step, rate) => {
    const p = step < cut ? step / cut : 1 - (step - cut) / (cut * (1 / cutFraction - 1))
    return (rate * (1 + Math.max(0, p) * (ratio - 1))) / ratio
  }
}

/** Interpolates from `start` to `end` along a half cosine for `part` from 0 to 1. */
function anneal(start: number, end: number, part: number): number {
  return end + ((start - end) * (1 + Math.cos(Math.PI * part))) / 2
}
