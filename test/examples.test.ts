import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'examples')
const named = (ending: string) => readdirSync(folder).filter(name => name.endsWith(ending))

function expectSeenWhole(name: string): void {
  expect(readFileSync(join(folder, name), 'utf8').split('\n').length).toBeLessThanOrEqual(61)
}

function run(file: string): string {
  return execFileSync(process.execPath, [file], { encoding: 'utf8' })
}

// Against what is built, as a user runs them: they import the package by its name.
describe.each(named('.js'))('examples/%s', name => {
  test('runs, and a reader sees it whole', () => {
    expectSeenWhole(name)
    expect(run(join(folder, name))).not.toBe('')
  })
})

/** The losses that are printed, in order. */
const losses = (output: string) =>
  [...output.matchAll(/loss (\d+\.\d{4})$/gm)].map(([, loss]) => Number(loss))

/** What each prints. */
const printed: Record<string, (output: string) => void> = {
  'custom-grad.ts': output => {
    const rows = [...output.matchAll(/^(\w+) +loss (\d+\.\d{4}), after 20 steps (\d+\.\d{4})$/gm)]
    expect(rows.map(([, name]) => name)).toEqual(['customGrad', 'lstm'])
    const [ours, theirs] = rows.map(([, , ...numbers]) => numbers.map(Number))
    expect(ours![1]).toBeLessThan(0.5 * ours![0]!)
    for (const [i, loss] of theirs!.entries()) expect(ours![i]).toBeCloseTo(loss, 3)
    const [, count, off] = /^(\d+) gradients agree: largest difference (\S+)$/m.exec(output) ?? []
    expect(Number(count)).toBe(14 * 3 + 32 * 3 + 32 * 8)
    expect(Number(off)).toBeLessThan(1e-5)
  },
  'subclassing.ts': output => {
    const found = losses(output)
    expect(found).toHaveLength(4)
    expect(found[0]).toBeGreaterThan(0.6)
    expect(found[3]).toBeLessThan(0.1)
    const directions = ['', '_reverse'].flatMap(suffix =>
      ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'].map(name => `lstm.${name}_l0${suffix}`),
    )
    const linear = ['layers.0', 'layers.1', 'head'].flatMap(name => [`${name}.weight`, `${name}.bias`])
    expect(output).toContain(`\n${['embedding.weight', ...directions, ...linear].join(' ')}\n`)
    expect(output).toContain('\nmissing 0, unexpected 0, same logits true\n')
  },
  'unfreezing.ts': output => {
    const rows = [...output.matchAll(/^groups trained (\d) {2}moved ([01 ]+) {2}loss (\d+\.\d{4})$/gm)]
    expect(rows.map(([, trained, moved]) => [trained, moved])).toEqual([
      ['1', '0 0 1'],
      ['2', '0 1 1'],
      ['3', '1 1 1'],
    ])
    const [first, , last] = rows.map(([, , , loss]) => Number(loss))
    expect(last).toBeLessThan(first!)
  },
  'attention-decoder.ts': output => {
    const found = losses(output)
    expect(found).toHaveLength(4)
    // It begins with as good as nothing known of six letters.
    expect(found[0]).toBeGreaterThan(1.5)
    expect(found[3]).toBeLessThan(0.1)
  },
  'character-task.ts': output => {
    const found = [...output.matchAll(/^epoch (\d+) {2}perplexity (\d+\.\d{4})$/gm)]
    expect(found.map(([, epoch]) => epoch)).toEqual(['3', '6', '9', '12'])
    const [first, , , last] = found.map(([, , perplexity]) => Number(perplexity))
    // Of twelve characters; a line of the text comes again and again.
    expect(first).toBeLessThan(15)
    expect(last).toBeLessThan(1.2)
    const [, next] = /^next: ([a-z .]{12})$/m.exec(output) ?? []
    expect(next).toContain('he cat')
  },
  'resuming.ts': output => {
    expect(output).toMatch(/^goes on in epoch 3, after step 5\nepoch 1 {2}loss 0\.\d{4}\n/)
    const found = losses(output)
    expect(found).toHaveLength(4)
    expect(found[3]).toBeLessThan(0.5 * found[0]!)
    expect(output).toMatch(/\nsame bits: true\n$/)
  },
  'character-model.ts': output => {
    const found = losses(output)
    expect(found).toHaveLength(5)
    expect(found[0]).toBeGreaterThan(2)
    expect(found[4]).toBeLessThan(0.3)
    const [, sample] = /^sample: ([a-z ,.]{80})$/m.exec(output) ?? []
    expect(sample).toMatch(/\b(the|cat|rat|mat|hat)\b/)
  },
}

describe('in TypeScript', () => {
  beforeAll(() => {
    const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')
    const { stdout } = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' })
    expect(stdout).toBe('')
  }, 60_000)

  test.each(named('.ts'))('examples/%s runs, prints what it should, and a reader sees it whole', name => {
    expectSeenWhole(name)
    printed[name]!(run(join(root, 'build', 'examples', name.replace(/\.ts$/, '.js'))))
  })
})
