import { z } from 'zod';
import { deviceHandleFault, labelFaults } from './faults-devices.ts';
import { SERVICE_NAME, SERVICE_NAME_EXPECTED } from './service-name.ts';
import { checkedText, list } from './values.ts';

const LABELS = 'a table of labels, each a text';

/** `[[devices.rule]]`; `people` is who may be meant by a rule. */
export const deviceRule = <T extends z.ZodType>(people: T) =>
  z
    .strictObject(
      {
        device: checkedText('the handle of a device', deviceHandleFault)
          .optional()
          .describe('handle of the device that is meant, whoever it belongs to, or `"*"` for every device'),
        labels: z
          .record(z.string(), z.string({ error: 'a text' }), { error: LABELS })
          .check(({ value, issues }) => {
            for (const [name, message] of labelFaults(value))
              issues.push({ code: 'custom', message, path: [name], input: value[name] });
          })
          .refine((labels) => Object.keys(labels).length > 0, { error: 'at least one label' })
          .optional()
          .describe('labels that a device must have, all of them; beside `device` both must fit'),
        services: list(
          z.string({ error: 'the name of a service' }).regex(SERVICE_NAME, { error: SERVICE_NAME_EXPECTED }),
          'a list of names of services',
        )
          .refine((names) => names.length > 0, {
            error: 'at least one service; leave it out for all of them',
          })
          .optional()
          .describe('services that are meant; absent: all that the device offers'),
        allow: people.describe(
          'who may reach them, besides the person the device belongs to: `"everyone"` who is signed in, `"owners"` of this site, or a table of people',
        ),
      },
      { error: 'a table [[devices.rule]]' },
    )
    .refine(({ device, labels }) => device !== undefined || labels !== undefined, {
      path: ['device'],
      error: 'a device or labels; "*" means every device',
    });
