import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { recency } from '../../../src/lib/recency.ts';

const CAPACITY = 5;

type Step = { kind: 'add' } | { kind: 'use' | 'remove'; pick: number };

const steps = fc.array(
  fc.oneof(
    fc.constant<Step>({ kind: 'add' }),
    fc.record({ kind: fc.constantFrom('use' as const, 'remove' as const), pick: fc.nat(CAPACITY) }),
  ),
  { maxLength: 60 },
);

test('keeps the order of use that a plain list keeps', () => {
  fc.assert(
    fc.property(steps, (taken) => {
      const order = recency(CAPACITY);
      const model: number[] = [];
      for (const step of taken) {
        if (step.kind === 'add') {
          if (model.length === CAPACITY) {
            expect(() => order.add()).toThrow(RangeError);
            continue;
          }
          const place = order.add();
          expect(model).not.toContain(place);
          model.push(place);
        } else {
          const place = model[step.pick];
          if (place === undefined) continue;
          model.splice(step.pick, 1);
          if (step.kind === 'use') {
            order.use(place);
            model.push(place);
          } else {
            order.remove(place);
          }
        }
        expect(order.oldest()).toBe(model[0]);
        expect(order.size).toBe(model.length);
      }
      while (model.length > 0) {
        const oldest = order.oldest();
        expect(oldest).toBe(model.shift());
        if (oldest !== undefined) order.remove(oldest);
      }
      expect(order.oldest()).toBeUndefined();
    }),
  );
});
