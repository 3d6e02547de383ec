/** Runs jobs, so many at a time. After the first failure none is begun, those that run are waited for, and it is thrown. */
export async function inParallel<Item>(
  items: readonly Item[],
  atOnce: number,
  job: (item: Item) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const failures: unknown[] = [];
  const work = async () => {
    for (let item = left.shift(); item !== undefined && failures.length === 0; item = left.shift()) {
      try {
        await job(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({length: Math.min(atOnce, items.length)}, work));
  if (failures.length > 0) throw failures[0];
}
