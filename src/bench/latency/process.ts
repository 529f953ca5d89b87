// What a process answers that reads tokens, one after the other, each with the state of the one before:
//
//   check WAY H B N    the state h after N tokens of the first and the last sequence: {"h"}, [2, H]
//   stream WAY H B N   reads N tokens and waits for the last state: {"seconds"}
//   await WAY H B N    waits for the state of each token: {"seconds"}
import { createInterface } from 'node:readline'

/** A layer that is loaded, of one H and B. */
export interface Stream {
  /** Reads so many tokens from a state of zeros. @returns h of all sequences [B, H], and the time without what comes before */
  read(tokens: number, awaited: boolean): Promise<{ h: Float32Array; seconds: number }>
}

/** Answers each line, by its words, until the input ends; what an answer throws becomes the answer. */
export async function answerLines(answerTo: (...words: string[]) => Promise<object>): Promise<void> {
  const answer = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`)
  answer({ ready: true })
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      answer(await answerTo(...line.split(' ')))
    } catch (error) {
      answer({ error: error instanceof Error ? error.message : String(error) })
    }
  }
}

/** Answers until the input ends. */
export async function answerStreams(open: (H: number, B: number) => Promise<Stream>): Promise<void> {
  const streams = new Map<string, Stream>()
  await answerLines(async (command, _way, H, B, tokens) => {
    const name = `${H} ${B}`
    const stream = streams.get(name) ?? (await open(Number(H), Number(B)))
    streams.set(name, stream)
    const { h, seconds } = await stream.read(Number(tokens), command === 'await')
    const ends = [...h.subarray(0, Number(H)), ...h.subarray(h.length - Number(H))]
    return command === 'check' ? { h: ends } : { seconds }
  })
}
