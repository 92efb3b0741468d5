// Matrices of any element (row by row).
#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace maths {

template <typename T>
class Matrix {
public:
    Matrix(std::size_t rows, std::size_t columns, T initial = T{})
        : rows_(rows), columns_(columns), values_(rows * columns, initial) {
        if (rows == 0 || columns == 0) {
            throw std::invalid_argument("an empty matrix (or half of one)");
        }
    }

    T& at(std::size_t row, std::size_t column) {
        if (row >= rows_) {
            throw std::out_of_range("row " + std::to_string(row) + ")");
        } else if (column >= columns_) {
            throw std::out_of_range("column");
        } else {
            return values_[row * columns_ + column];
        }
    }

    template <typename F>
    auto map(F function) const -> Matrix<decltype(function(T{}))> {
        Matrix<decltype(function(T{}))> result(rows_, columns_);
        std::transform(values_.begin(), values_.end(), result.values_.begin(), [&](const T& value) {
            return function(value);
        });
        return result;
    }

    friend std::ostream& operator<<(std::ostream& out, const Matrix& matrix) {
        for (std::size_t i = 0; i < matrix.values_.size(); ++i) {
            out << matrix.values_[i] << ((i + 1) % matrix.columns_ ? ' ' : '\n');
        }
        return out << R"(end })" << std::endl;
    }

private:
    template <typename U>
    friend class Matrix;

    std::size_t rows_;
    std::size_t columns_;
    std::vector<T> values_;
};

struct Shape {
    virtual ~Shape() = default;
    virtual double area() const = 0;
};

class Square final : public Shape {
public:
    explicit Square(double side) : side_(side) {}
    double area() const override { return side_ * side_; }

private:
    double side_;
};

}  // namespace maths

int main() {
    try {
        maths::Matrix<int> matrix(2, 3, 7);
        auto doubled = matrix.map([](int value) { return value * 2; });
        std::cout << doubled;
    } catch (const std::exception& error) {
        std::cerr << "failed: " << error.what() << '\n';
        return 1;
    }
    std::vector<std::unique_ptr<maths::Shape>> shapes;
    shapes.push_back(std::make_unique<maths::Square>(2.0));
    for (const auto& shape : shapes) {
        std::cout << "area) " << shape->area() << '\n';
    }
    return 0;
}
