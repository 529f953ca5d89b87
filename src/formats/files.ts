import { randomBytes } from 'node:crypto'
import { link, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/**
 * Writes a file so that its name always holds the old content or the new, never a part: the bytes go to a temporary
 * name in the same directory, reach the disk, and then take the name.
 *
 * @param file the path; a file that is there is replaced
 * @param previous the name under which that file is kept, in the same directory. At every moment one of the two names
 * holds a file as it was written, also where `file` was damaged before. Without it none is kept, and neither is one on a
 * file system without hard links.
 * @throws the file system's own error (`ENOENT`, `ENOSPC`, …); the temporary files are then gone and the old file whole
 */
export async function atomicWrite(
  file: string,
  bytes: Uint8Array,
  previous: string | null = null,
): Promise<void> {
  const temporary = temporaryOf(file)
  const kept = previous === null ? null : temporaryOf(previous)
  try {
    await writeThrough(temporary, bytes)
    const keeps = kept !== null && (await linked(file, kept))
    await rename(temporary, file)
    // After the new file has its name: what is replaced now was the only other one that is whole.
    if (keeps) await rename(kept, previous!)
    await syncDirectory(dirname(file))
  } catch (error) {
    // What went wrong first is what is told.
    const left = [temporary, ...(kept === null ? [] : [kept])]
    await Promise.allSettled(left.map(name => rm(name, { force: true })))
    throw error
  }
}

/** A name beside a file that nothing else has. */
function temporaryOf(file: string): string {
  return `${file}.${randomBytes(6).toString('hex')}.tmp`
}

/** Writes a new file that is on the disk when this resolves. */
async function writeThrough(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file, 'wx')
  try {
    await handle.writeFile(bytes)
    // Without it a crash soon after a rename can leave the new name with no content behind it.
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Whether a file got a second name; not where there is none, or where the file system has no hard links. */
async function linked(file: string, name: string): Promise<boolean> {
  try {
    await link(file, name)
    return true
  } catch {
    return false
  }
}

/** Names of a directory reach the disk too: without it a power failure may bring the old ones back. */
async function syncDirectory(directory: string): Promise<void> {
  // Windows opens no directory.
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Removes what an `atomicWrite` of a process that was killed left in a directory. */
export async function removeTemporaries(directory: string): Promise<void> {
  const names = await readdir(directory)
  const left = names.filter(name => /\.[0-9a-f]{12}\.tmp$/.test(name))
  await Promise.all(left.map(name => rm(join(directory, name), { force: true })))
}
