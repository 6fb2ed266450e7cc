-- The platform's id of a template, by which it is read and edited. Of those that were listed before, it is told by the
-- next list.

ALTER TABLE templates ADD COLUMN template_id TEXT;

CREATE INDEX templates_by_id ON templates (template_id) WHERE template_id IS NOT NULL;
