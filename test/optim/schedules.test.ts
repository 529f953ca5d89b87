import { describe, expect, test } from 'vitest'
import {
  AdamW,
  cosineAnnealing,
  OneCycle,
  oneCycle,
  type Schedule,
  Scheduler,
  SGD,
  slantedTriangular,
  stepDecay,
} from '../../src/optim/index.js'
import { tensor } from '../../src/tensor.js'
import { expectClose } from '../suite/compare.js'
import { readFixtures } from '../suite/fixtures.js'

/** Half of the last of the fixtures' 12 digits, relative to the largest number. */
const PRINTED = 1e-11

const { schedules } = readFixtures('optimizers.json')

function scheduleOf(fixture: (typeof schedules)[number]): Schedule {
  switch (fixture.schedule) {
    case 'stepDecay':
      return stepDecay(fixture.options)
    case 'cosineAnnealing':
      return cosineAnnealing(fixture.options)
    case 'oneCycle':
      return oneCycle(fixture.options)
  }
}

/** The rates of the steps 0 to `last`. */
function rates(schedule: Schedule, rate: number, last: number): number[] {
  return Array.from({ length: last + 1 }, (_, step) => schedule(step, rate))
}

describe('schedules', () => {
  test.each(schedules)('PyTorch: $schedule $options', fixture => {
    const { data } = fixture.rates
    const found = rates(scheduleOf(fixture), fixture.rate, data.length - 1)
    expectClose(found, data, PRINTED)
    // The last rate of a cycle is 1/10,000 of the first.
    expectClose(found.slice(-1), data.slice(-1), data.at(-1) === 0 ? PRINTED : 1e-9)
  })

  test('stepDecay drops after every stepSize steps, by default by a factor of 10', () => {
    expect(rates(stepDecay({ stepSize: 2, gamma: 0.5 }), 8, 6)).toEqual([8, 8, 4, 4, 2, 2, 1])
    expect(stepDecay({ stepSize: 1 })(1, 1)).toBe(0.1)
  })

  test('cosineAnnealing: both ends, the middle, and the rise after the end', () => {
    const found = rates(cosineAnnealing({ steps: 4, minimum: 1 }), 5, 8)
    const half = 3 + 2 * Math.SQRT1_2
    expectClose(found, [5, half, 3, 6 - half, 1, 6 - half, 3, half, 5], 1e-15)
  })

  test('oneCycle: up, down, then constant', () => {
    const schedule = oneCycle({ steps: 10, pctStart: 0.5, divFactor: 10, finalDivFactor: 100 })
    expectClose(
      [0, 2, 4, 6.5, 9, 20].map(step => schedule(step, 1)),
      [0.1, 0.55, 1, 0.5005, 0.001, 0.001],
      1e-15,
    )
    expect(schedule(9, 1)).toBe(0.001)
    // The peak is before the first step, or at the last.
    expect(oneCycle({ steps: 1 })(0, 1)).toBe(1 / 25 / 1e4)
    expectClose(rates(oneCycle({ steps: 3, pctStart: 1, divFactor: 2 }), 1, 3), [0.5, 0.75, 1, 1], 1e-15)
    expect(rates(oneCycle({ steps: 4, pctStart: 0.25 }), 1, 0)).toEqual([1])
  })

  test('slantedTriangular: the known rates of 100 steps at 0.01', () => {
    const schedule = slantedTriangular({ steps: 100 })
    const found = [0, 5, 10, 50, 100].map(step => schedule(step, 0.01))
    expectClose(found, [0.0003125, 0.00515625, 0.01, 0.00569444, 0.0003125], 1e-6)
    expect(schedule(1000, 0.01)).toBe(0.01 / 32)
    expect(slantedTriangular({ steps: 8, cutFraction: 0.5, ratio: 2 })(2, 4)).toBe(3)
  })
})

describe('Scheduler', () => {
  test('starts each group from its initial rate', () => {
    const groups = [{ lr: 8 }, { lr: 2 }]
    const scheduler = new Scheduler({ groups }, stepDecay({ stepSize: 2, gamma: 0.5 }))
    const seen = Array.from({ length: 4 }, () => {
      const now = groups.map(({ lr }) => lr)
      scheduler.step()
      return now
    })
    expect(seen).toEqual([
      [8, 2],
      [8, 2],
      [4, 1],
      [4, 1],
    ])
  })

  test('sets the rate of step 0 in the constructor', () => {
    const groups = [{ lr: 0.01 }]
    new Scheduler({ groups }, slantedTriangular({ steps: 100 }))
    expect(groups[0]!.lr).toBe(0.01 / 32)
  })

  test('accepts a schedule for each group', () => {
    const groups = [{ lr: 8 }, { lr: 2 }]
    const scheduler = new Scheduler({ groups }, [(_, rate) => rate, (step, rate) => rate * step])
    scheduler.step()
    scheduler.step()
    expect(groups).toEqual([{ lr: 8 }, { lr: 4 }])
  })

  test('continues from its state, independent of the current rates', () => {
    const schedule = cosineAnnealing({ steps: 10 })
    const [groups, resumed] = [[{ lr: 3 }], [{ lr: 3 }]]
    const first = new Scheduler({ groups }, schedule)
    for (let i = 0; i < 4; i++) first.step()
    resumed[0]!.lr = groups[0]!.lr
    const second = new Scheduler({ groups: resumed }, schedule)
    second.loadStateDict(JSON.parse(JSON.stringify(first.stateDict())))
    expect(resumed).toEqual(groups)
    first.step()
    second.step()
    expect(resumed).toEqual(groups)
    expect(groups[0]!.lr).toBe(schedule(5, 3))
  })
})

describe('OneCycle', () => {
  const make = (isSgd: boolean) => {
    const p = tensor([1])
    const optimizer = isSgd ? new SGD([p], { lr: 0.5, momentum: 0.9 }) : new AdamW([p], { lr: 0.5 })
    return { optimizer, cycle: new OneCycle(optimizer, { steps: 20, momentums: [0.8, 0.6], pctStart: 0.3 }) }
  }
  const momentumOf = (group: object) =>
    'betas' in group && Array.isArray(group.betas) ? group.betas[0] : Reflect.get(group, 'momentum')

  test.each([true, false])('rates are those of oneCycle, momentums go the other way (SGD: %s)', isSgd => {
    const { optimizer, cycle } = make(isSgd)
    const schedule = oneCycle({ steps: 20, pctStart: 0.3 })
    for (let step = 0; step < 22; step++) {
      const [group] = optimizer.groups
      expect(group!.lr).toBe(schedule(step, 0.5))
      // The peak is at step 5, the end at step 19.
      const part = step <= 5 ? step / 5 : Math.max(0, 1 - (step - 5) / 14)
      const wanted = 0.8 - 0.2 * ((1 - Math.cos(Math.PI * part)) / 2)
      expect(momentumOf(group!)).toBeCloseTo(wanted, 12)
      cycle.step()
    }
  })

  test('a restored schedule continues', () => {
    const [one, other] = [make(false), make(false)]
    for (let step = 0; step < 7; step++) one.cycle.step()
    other.cycle.loadStateDict(JSON.parse(JSON.stringify(one.cycle.stateDict())))
    expect(other.optimizer.groups[0]!.lr).toBe(one.optimizer.groups[0]!.lr)
    expect(momentumOf(other.optimizer.groups[0]!)).toBe(momentumOf(one.optimizer.groups[0]!))
    expect(() => other.cycle.loadStateDict({ step: 1, rates: [] })).toThrow(
      'optim.OneCycle.loadStateDict: state',
    )
  })
})
