import { Adagrad, Adam, AdamW, ASGD, AveragedSGD, RMSprop, Scheduler, SGD } from '../../src/optim/index.js'
import { cosineAnnealing, oneCycle, slantedTriangular, stepDecay } from '../../src/optim/schedules.js'
import { tensor } from '../../src/tensor.js'
import { argument, cpu, ELSEWHERE, other, type Refusal, refuses, untyped, vector } from './refuses.js'

const p = vector(3)
const q = vector(2)
const elsewhere = vector(2, other)
const gone = vector(2)
gone.dispose()
const integers = argument(tensor(new Int32Array(2), [2], { device: cpu }))

refuses('the parameters of an optimiser', [
  [
    'ERR_INVALID_ARGUMENT',
    'optim.Adam: parameters: wanted at least one parameter, got []',
    () => new Adam([]),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'optim.SGD: parameters: wanted at least one parameter, got [Object]',
    () => new SGD([{ parameters: [] }], { lr: 1 }),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'optim.SGD: parameters[1]: wanted distinct parameters, got a duplicate',
    () => new SGD([p, p], { lr: 1 }),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'optim.SGD: groups[1].parameters[1]: wanted distinct parameters, got a duplicate',
    () => new SGD([{ parameters: [p] }, { parameters: [q, p] }], { lr: 1 }),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'optim.ASGD: groups[1].parameters: wanted an array of parameters, got undefined',
    () => new ASGD(untyped([{ parameters: [p] }, q])),
  ],
  ['ERR_DEVICE', `optim.AdamW: parameters[1]: wanted ${ELSEWHERE}`, () => new AdamW([p, elsewhere])],
  [
    'ERR_DTYPE',
    'optim.RMSprop: parameters[0]: wanted dtype float32, got int32',
    () => new RMSprop(untyped([integers])),
  ],
  [
    'ERR_DISPOSED',
    'optim.Adagrad: parameters[0]: wanted a tensor, got a disposed one',
    () => new Adagrad([gone]),
  ],
])

/** A number that an option rejects, with the bounds that the error names. */
function outside(name: string, got: number, call: () => unknown, low = 0, high = Infinity): Refusal {
  return ['ERR_OUT_OF_RANGE', `${name}: wanted a number from ${low} to ${high}, got ${got}`, call]
}

const BELOW_ONE = 1 - 2 ** -53
const momentum = { lr: 1, momentum: 0.9 }
refuses('the options of an optimiser', [
  outside('optim.SGD: lr', -1, () => new SGD([p], { lr: -1 })),
  outside('optim.SGD: lr', NaN, () => new SGD([p], { lr: NaN })),
  outside('optim.SGD: momentum', -1, () => new SGD([p], { lr: 1, momentum: -1 })),
  outside('optim.SGD: dampening', NaN, () => new SGD([p], { ...momentum, dampening: NaN }), -Infinity),
  outside('optim.SGD: weightDecay', -1, () => new SGD([p], { lr: 1, weightDecay: -1 })),
  [
    'ERR_INVALID_ARGUMENT',
    'optim.SGD: nesterov: wanted momentum above 0 and dampening 0, got momentum 0 and dampening 0',
    () => new SGD([p], { lr: 1, nesterov: true }),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'optim.SGD: groups[1].nesterov: wanted momentum above 0 and dampening 0, got momentum 0.9 and dampening 0.5',
    () => {
      const groups = [{ parameters: [p] }, { parameters: [q], dampening: 0.5 }]
      return new SGD(groups, { ...momentum, nesterov: true })
    },
  ],
  outside('optim.Adam: lr', -1, () => new Adam([p], { lr: -1 })),
  outside('optim.Adam: betas[0]', 1, () => new Adam([p], { betas: [1, 0.9] }), 0, BELOW_ONE),
  outside('optim.AdamW: betas[1]', -1, () => new AdamW([p], { betas: [0.9, -1] }), 0, BELOW_ONE),
  outside('optim.Adam: eps', -1, () => new Adam([p], { eps: -1 })),
  outside('optim.AdamW: weightDecay', -1, () => new AdamW([p], { weightDecay: -1 })),
  outside('optim.AveragedSGD: lr', -1, () => new AveragedSGD([p], { lr: -1 })),
  outside('optim.AveragedSGD: weightDecay', -1, () => new AveragedSGD([p], { lr: 1, weightDecay: -1 })),
  outside('optim.ASGD: lr', Infinity, () => new ASGD([p], { lr: Infinity })),
  outside('optim.ASGD: lambda', -1, () => new ASGD([p], { lambda: -1 })),
  outside('optim.ASGD: alpha', -1, () => new ASGD([p], { alpha: -1 })),
  outside('optim.ASGD: t0', -1, () => new ASGD([p], { t0: -1 })),
  outside('optim.ASGD: weightDecay', -1, () => new ASGD([p], { weightDecay: -1 })),
  outside('optim.RMSprop: alpha', 2, () => new RMSprop([p], { alpha: 2 }), 0, 1),
  outside('optim.RMSprop: momentum', -1, () => new RMSprop([p], { momentum: -1 })),
  outside('optim.RMSprop: eps', -1, () => new RMSprop([p], { eps: -1 })),
  outside('optim.Adagrad: lrDecay', -1, () => new Adagrad([p], { lrDecay: -1 })),
  outside('optim.Adagrad: initialAccumulator', -1, () => new Adagrad([p], { initialAccumulator: -1 })),
  outside('optim.Adagrad: groups[1].eps', -1, () => {
    return new Adagrad([{ parameters: [p] }, { parameters: [q], eps: -1 }])
  }),
])

const two = { groups: [{ lr: 1 }, { lr: 2 }] }
const constant = (_: number, rate: number) => rate
refuses('schedules', [
  [
    'ERR_OUT_OF_RANGE',
    'stepDecay: stepSize: wanted an integer from 1 to 2147483647, got 0',
    () => stepDecay({ stepSize: 0 }),
  ],
  outside('stepDecay: gamma', -1, () => stepDecay({ stepSize: 1, gamma: -1 })),
  [
    'ERR_OUT_OF_RANGE',
    'cosineAnnealing: steps: wanted an integer from 1 to 2147483647, got 1.5',
    () => cosineAnnealing({ steps: 1.5 }),
  ],
  outside('cosineAnnealing: minimum', -1, () => cosineAnnealing({ steps: 2, minimum: -1 })),
  outside('oneCycle: pctStart', 2, () => oneCycle({ steps: 2, pctStart: 2 }), 0, 1),
  outside('oneCycle: divFactor', 0, () => oneCycle({ steps: 2, divFactor: 0 }), Number.MIN_VALUE),
  outside('oneCycle: finalDivFactor', 0, () => oneCycle({ steps: 2, finalDivFactor: 0 }), Number.MIN_VALUE),
  [
    'ERR_OUT_OF_RANGE',
    'slantedTriangular: steps: wanted at least 1 / 0.1, got 9',
    () => slantedTriangular({ steps: 9 }),
  ],
  outside('slantedTriangular: ratio', 0.5, () => slantedTriangular({ steps: 10, ratio: 0.5 }), 1),
  [
    'ERR_INVALID_ARGUMENT',
    'optim.Scheduler: schedule: wanted one for each of 2 groups, got 1',
    () => new Scheduler(two, [constant]),
  ],
  [
    'ERR_INVALID_ARGUMENT',
    'optim.Scheduler.loadStateDict: rates: wanted 2 numbers, got 1',
    () => new Scheduler(two, constant).loadStateDict({ step: 0, rates: [1] }),
  ],
  [
    'ERR_OUT_OF_RANGE',
    `optim.Scheduler.loadStateDict: step: wanted an integer from 0 to ${Number.MAX_SAFE_INTEGER}, got -1`,
    () => new Scheduler(two, constant).loadStateDict({ step: -1, rates: [1, 2] }),
  ],
  outside('optim.Scheduler.loadStateDict: rates[1]', -2, () => {
    return new Scheduler(two, constant).loadStateDict({ step: 0, rates: [1, -2] })
  }),
])
