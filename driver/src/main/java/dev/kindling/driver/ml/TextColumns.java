package dev.kindling.driver.ml;

import java.util.Arrays;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** Columns that params name. */
final class TextColumns {
  private TextColumns() {}

  /**
   * Index of a column of text.
   *
   * @param param the param that names it
   * @throws IllegalArgumentException if there is none, or it holds something else
   */
  static int index(StructType schema, String param, String column) {
    if (!Arrays.asList(schema.fieldNames()).contains(column)) {
      throw new IllegalArgumentException(
          param
              + ": expected one of the columns "
              + Arrays.toString(schema.fieldNames())
              + ", found "
              + column);
    }
    int index = schema.fieldIndex(column);
    if (!schema.fields()[index].dataType().equals(DataTypes.StringType)) {
      throw new IllegalArgumentException(
          "%s: expected a column of strings, found %s of type %s"
              .formatted(param, column, schema.fields()[index].dataType().simpleString()));
    }
    return index;
  }
}
