package dev.kindling.driver.ml;

import dev.kindling.driver.launch.ModelPlace;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.apache.spark.SparkEnv;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.jspecify.annotations.Nullable;

/**
 * Adds the model's column to the rows of a partition, a batch of them at a time.
 *
 * @param text index of the column of text
 * @param prompt index of the column of prompts, negative for none
 */
record RowBatches(ModelRequest request, int text, int prompt)
    implements MapPartitionsFunction<Row, Row> {

  @Override
  public Iterator<Row> call(Iterator<Row> rows) {
    return new Widened(rows);
  }

  /** Cores of this executor; in local mode all of the machine, as {@code generate} takes them. */
  private static int threads() {
    int cores = Runtime.getRuntime().availableProcessors();
    return SparkEnv.get().conf().getInt("spark.executor.cores", cores);
  }

  private final class Widened implements Iterator<Row> {
    private final Iterator<Row> rows;
    private final Deque<Row> ready = new ArrayDeque<>();
    private @Nullable TextModel model;

    Widened(Iterator<Row> rows) {
      this.rows = rows;
    }

    @Override
    public boolean hasNext() {
      return !ready.isEmpty() || rows.hasNext();
    }

    @Override
    public Row next() {
      if (!hasNext()) {
        throw new NoSuchElementException();
      }
      if (ready.isEmpty()) {
        batch();
      }
      return ready.remove();
    }

    private void batch() {
      List<Row> batch = new ArrayList<>();
      List<PromptedText> texts = new ArrayList<>();
      while (rows.hasNext() && batch.size() < request.batchSize()) {
        Row row = rows.next();
        batch.add(row);
        if (holdsText(row)) {
          String before = prompt < 0 ? "" : row.getString(prompt);
          texts.add(new PromptedText(before, row.getString(text), prompt >= 0));
        }
      }
      Iterator<@Nullable Object> results =
          texts.isEmpty() ? List.<@Nullable Object>of().iterator() : of(texts).iterator();
      for (Row row : batch) {
        ready.add(widened(row, holdsText(row) ? results.next() : null));
      }
    }

    private boolean holdsText(Row row) {
      return !row.isNullAt(text) && (prompt < 0 || !row.isNullAt(prompt));
    }

    private List<@Nullable Object> of(List<PromptedText> texts) {
      TextModel loaded = model;
      if (loaded == null) {
        TaskContext task = TaskContext.get();
        ModelRequest.Key key = request.key(ModelPlace.ofTask(request.device(), task, threads()));
        loaded = ModelCache.SHARED.acquire(key);
        model = loaded;
        // The task may end before its rows do: a limit, a failure, a kill.
        task.<Void>addTaskCompletionListener(
            context -> {
              ModelCache.SHARED.release(key);
              return null;
            });
      }
      return loaded.results(request, texts);
    }

    private Row widened(Row row, @Nullable Object result) {
      Object[] values = new Object[row.size() + 1];
      for (int i = 0; i < row.size(); i++) {
        values[i] = row.get(i);
      }
      values[row.size()] = result;
      return RowFactory.create(values);
    }
  }
}
