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

/** The losses that are printed, in order. */
const losses = (output: string) =>
  [...output.matchAll(/loss (\d+\.\d{4})$/gm)].map(([, loss]) => Number(loss))

/** The parameters of an LSTM's layer, as lines with their shapes. */
const layerLines = (layer: number, inputs: number) =>
  ['', '_reverse'].flatMap(direction => [
    `${`lstm.weight_ih_l${layer}${direction}`.padEnd(34)} [16, ${inputs}]`,
    `${`lstm.weight_hh_l${layer}${direction}`.padEnd(34)} [16, 4]`,
    ...['ih', 'hh'].map(kind => `${`lstm.bias_${kind}_l${layer}${direction}`.padEnd(34)} [16]`),
  ])

/** What each prints. Numbers that depend on the instruction set have bounds, everything else is exact. */
const printed: Record<string, (output: string) => void> = {
  'autocomplete.js': output => {
    const rows = [...output.matchAll(/^(\w+): (\d+) of 100 characters predict their word correctly$/gm)]
    expect(rows.map(([, name]) => name)).toEqual(['LSTM', 'GRU'])
    // No word of the line has more than 16 characters.
    for (const [, , right] of rows) expect(Number(right)).toBeGreaterThan(20)
  },
  'elman.js': output => {
    const lines = output.trimEnd().split('\n')
    expect(lines.slice(0, -1)).toEqual([
      'words           der 1, Hund 3, jagt 5, die 2, schwarze 0, Katze 4',
      'as T=1, N=6     output [1, 6, 10], hN [1, 6, 10]',
      'as T=6, N=1     output [6, 1, 10], hN [1, 1, 10]',
      'the same state  der',
      'packed          as intended',
    ])
    expect(lines.at(-1)).toMatch(/^y {15}(0\.\d{3} ){5}0\.\d{3}$/)
  },
  'forwardBackward.js': output => {
    const rows = [...output.matchAll(/^step +(\d+) {2}loss (\d+\.\d{4})$/gm)]
    expect(rows.map(([, step]) => step)).toEqual(['0', '50', '100', '150'])
    const [first, , , last] = losses(output)
    // Of three words; nothing is known of them.
    expect(first).toBeCloseTo(Math.log(3), 1)
    expect(last).toBeLessThan(0.1)
  },
  'packing.js': output =>
    expect(output).toBe(
      [
        'packed rows [ 7, 5 ] offsets [ 0, 4, 5, 7 ]',
        'time-major: batch sizes [ 3, 2, 1, 1 ] order [ 0, 2, 1 ]',
        'padded output [ 3, 4, 16 ]',
        'forward halves agree true reverse halves false',
        'packed without padding: the same true\n',
      ].join('\n'),
    ),
  'stateDict.js': output => {
    const lines = output.trimEnd().split('\n')
    expect(lines.slice(0, -2)).toEqual([
      `${'embedding.weight'.padEnd(34)} [12, 5]`,
      ...[...layerLines(0, 5), ...layerLines(1, 8)],
      `${'classifier.weight'.padEnd(34)} [3, 8]`,
      `${'classifier.bias'.padEnd(34)} [3]`,
    ])
    const [, difference] = /^largest difference to PyTorch's logits: (\S+)$/.exec(lines.at(-2)!) ?? []
    expect(Number(difference)).toBeLessThan(1e-6)
    expect(lines.at(-1)).toBe('written back under the same names: true')
  },
  'streaming.js': output => {
    const lines = output.trimEnd().split('\n')
    const arrived = lines.slice(0, -1).map(line => /^tokens (.*?) +tensors held (\d+)$/.exec(line)?.slice(1))
    expect(arrived.map(found => found?.[0])).toEqual(['4, 1, 2', '7, 1, 6', '8, 5, 12', '15, 9, 13'])
    // Eight parameters and two states, however much has arrived.
    expect(arrived.map(found => found?.[1])).toEqual(['10', '10', '10', '10'])
    expect(lines.at(-1)).toBe('the same bits as at once true')
  },
  'training.js': output => {
    const found = losses(output)
    expect(found).toHaveLength(6)
    // Of nine categories.
    expect(found[0]).toBeCloseTo(Math.log(9), 0)
    expect(found[5]).toBeLessThan(0.3)
    const rows = [...output.matchAll(/^ *(\S+) {7}\d\.\d\d {6}\d\.\d\d {6}\d\.\d\d +(\d+)$/gm)]
    expect(rows.map(([, name]) => name)).toEqual([
      ...['Etat', 'Inland', 'International', 'Kultur', 'Panorama'],
      ...['Sport', 'Web', 'Wirtschaft', 'Wissenschaft'],
    ])
    expect(rows.reduce((sum, [, , support]) => sum + Number(support), 0)).toBe(60)
    const [, accuracy] = /^ +accuracy +(\d\.\d\d) +60$/m.exec(output) ?? []
    expect(Number(accuracy)).toBeGreaterThan(0.15)
  },
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
    expect(output).toMatch(/^resumes in epoch 3, after step 5\nepoch 1 {2}loss 0\.\d{4}\n/)
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

// Against what is built, as a user runs them: they import the package by its name.
test.each(named('.js'))('examples/%s runs, prints the expected output and has at most 60 lines', name => {
  expectSeenWhole(name)
  printed[name]!(run(join(folder, name)))
})

describe('in TypeScript', () => {
  beforeAll(() => {
    const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc')
    const { stdout } = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' })
    expect(stdout).toBe('')
  }, 60_000)

  test.each(named('.ts'))('examples/%s runs, prints the expected output and has at most 60 lines', name => {
    expectSeenWhole(name)
    printed[name]!(run(join(root, 'build', 'examples', name.replace(/\.ts$/, '.js'))))
  })
})
